"""The outcome of a run: the differences of each call, explained ones apart from the others, and the sum."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import differences
from .differences import Explanation, Pair
from .shapes import Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One call and where the gateway's answer is not the engine's."""

    pair: Pair
    call: str
    found: tuple[Difference, ...]

    def unexplained(self) -> tuple[Difference, ...]:
        """What no explanation covers."""
        return tuple(one for one in self.found if not differences.explaining(self.pair, self.call, one.where))


@dataclass(slots=True)
class Ledger:
    """All calls of a run, in their order."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Write down one call."""
        self.entries.append(entry)

    def unused(self) -> tuple[Explanation, ...]:
        """Explanations of what was not seen. Meaningful after a whole run only."""
        used = {
            one
            for entry in self.entries
            for difference in entry.found
            for one in differences.explaining(entry.pair, entry.call, difference.where)
        }
        return tuple(one for one in differences.KNOWN if one not in used)

    def lines(self) -> Iterator[str]:
        """A line per call, below it a line per difference, then the reasons, and the sum as the last line."""
        cited: list[Explanation] = []
        for entry in self.entries:
            verdict = "DIFFERS" if entry.unexplained() else "differs, explained" if entry.found else "same"
            yield f"{entry.pair.value:18} {entry.call:42} {verdict}"
            for difference in entry.found:
                reasons = differences.explaining(entry.pair, entry.call, difference.where)
                cited += [one for one in reasons if one not in cited]
                mark = f"[{differences.KNOWN.index(reasons[0]) + 1}]" if reasons else "[?]"
                yield f"    {mark:5} {difference}"
        yield ""
        for one in sorted(cited, key=differences.KNOWN.index):
            yield f"[{differences.KNOWN.index(one) + 1}] {one.title}: {one.reason}"
        yield self.sum()

    def sum(self) -> str:
        """`differing` counts every call with a difference, explained or not."""
        differing = sum(bool(entry.found) for entry in self.entries)
        return f"calls={len(self.entries)} same={len(self.entries) - differing} differing={differing}"
