"""What came of it: counts, and the last line. Pure."""

from dataclasses import dataclass, field
from typing import Final

MOST_P99_MS: Final = 100.0
MOST_GROWTH_MIB: Final = 64.0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Of one gateway, or of all."""

    tried: int = 0
    held: int = 0
    failed: int = 0
    innocent_asked: int = 0
    innocent_failed: int = 0
    innocent_p99_ms: float = 0.0
    growth_mib: float = 0.0
    peaks_mib: dict[str, float] = field(default_factory=dict)
    """By the gateway's name."""

    def add(self, other: "Outcome") -> None:
        """Take another's in: counts add up, of measures the worst stays."""
        self.tried += other.tried
        self.held += other.held
        self.failed += other.failed
        self.innocent_asked += other.innocent_asked
        self.innocent_failed += other.innocent_failed
        self.innocent_p99_ms = max(self.innocent_p99_ms, other.innocent_p99_ms)
        self.growth_mib = max(self.growth_mib, other.growth_mib)
        self.peaks_mib |= other.peaks_mib

    def status(self, most_p99_ms: float) -> int:
        """The exit status: 0 when all held."""
        held = self.tried > 0 and self.innocent_asked > 0 and not self.failed and not self.innocent_failed
        return 0 if held and self.innocent_p99_ms < most_p99_ms and self.growth_mib < MOST_GROWTH_MIB else 1

    def last_line(self) -> str:
        """All in one line."""
        return (
            f"tried={self.tried} held={self.held} failed={self.failed} innocent_failed={self.innocent_failed}"
            f" innocent_p99_ms={self.innocent_p99_ms:.0f} rss_growth_mib={self.growth_mib:.0f}"
        )
