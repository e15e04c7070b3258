"""Which beginnings of prompts need not be computed again. Pure."""

from __future__ import annotations

from collections import OrderedDict

from . import batching


class PrefixCache:
    """Which prompt prefixes were computed before, in blocks, least recently used ones forgotten first."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._known: OrderedDict[int, None] = OrderedDict()

    def match(self, tokens: list[str]) -> int:
        """Return how many leading tokens are known, and learn the rest."""
        hits, link = 0, 0
        for start in range(0, len(tokens) - batching.BLOCK, batching.BLOCK):
            link = hash((link, *tokens[start : start + batching.BLOCK]))
            if link in self._known:
                self._known.move_to_end(link)
                hits += batching.BLOCK * (hits == start)
            else:
                self._known[link] = None
        while len(self._known) > self._blocks:
            self._known.popitem(last=False)
        return hits
