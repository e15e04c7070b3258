"""Tokens of the simulated models: how text is cut, counted and numbered.

Knows strings only. `"".join(split(text)) == text` always holds; the numbers mean something within one `Vocabulary`
only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from random import Random

_TOKEN = re.compile(r"\s?\w{1,14}|\s?[^\w\s]|\s")
_FIRST_BYTE = 33
"""Numbers 0 to 93 are the printable ASCII characters from '!' on, as in byte-level BPE vocabularies."""

_SENTENCES = (
    "A model is a function with a very long memory and a very short attention span.",
    "Most of the time goes into reading weights, not into arithmetic.",
    "When several requests share a batch, each weight is read once for all of them.",
    "The cache of keys and values grows with every token that is kept.",
    "A fraction of a card is enough for a small model with four-bit weights.",
    "Queues are honest: they show where the work really waits.",
    "What fits in memory answers at once, and what does not must be swapped.",
    "Latency is what one user feels; throughput is what all of them pay for.",
    "A good default is the one that nobody has to change.",
    "The scheduler admits a request when there is room for its prompt.",
    "Every answer here was written in advance, word by word.",
    "Nothing in this text was computed by a neural network.",
)


def split(text: str) -> list[str]:
    """Cut a text into tokens that join to the same text."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """Count the tokens of a text."""
    return len(_TOKEN.findall(text))


def sentences(topic: str, seed: int) -> Iterator[str]:
    """Write without end, one sentence at a time; the same topic and seed give the same text."""
    random = Random(f"{seed}:{topic}")  # noqa: S311 - text, not secrets
    words = topic.split()[:12]
    yield f'You wrote: "{" ".join(words)}".' if words else "You wrote nothing."
    while True:
        for sentence in random.sample(_SENTENCES, len(_SENTENCES)):
            yield " " + sentence


class Vocabulary:
    """Numbers for tokens, given out as they are first seen."""

    def __init__(self) -> None:
        self._tokens = [chr(_FIRST_BYTE + number) for number in range(94)]
        self._numbers = {token: number for number, token in enumerate(self._tokens)}

    def number(self, token: str) -> int:
        """Return the token's number."""
        if token not in self._numbers:
            self._numbers[token] = len(self._tokens)
            self._tokens.append(token)
        return self._numbers[token]

    def numbers(self, text: str) -> list[int]:
        """Cut a text and number its tokens."""
        return [self.number(token) for token in split(text)]

    def text(self, numbers: Iterable[int]) -> str:
        """Join the tokens of these numbers; raises IndexError for a number that was never given out."""
        return "".join(self._tokens[number] for number in numbers)
