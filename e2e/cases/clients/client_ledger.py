"""The outcome of a run of this case: a line for each call that a client made, and the sum as the last line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

import pytest

_NAMES = {
    "test_official_anthropic": "anthropic (PyPI)",
    "test_official_ollama": "ollama (PyPI)",
    "test_official_openai": "openai (PyPI)",
    "test_framework_langchain": "langchain",
    "test_framework_llamaindex": "llama-index",
}
"""Clients of this environment; the others name themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one call."""

    client: str
    call: str
    verdict: str
    """works, fails, the client's fault, or not made."""
    said: tuple[str, ...] = ()
    """Why, and what the client sent."""


@dataclass(slots=True)
class Ledger:
    """All calls of a run, in their order."""

    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, report: pytest.TestReport) -> None:
        """Write down what became of a test, if it is one of a client."""
        properties = dict(report.user_properties)
        module, _, test = report.nodeid.partition("::")
        client = str(properties.get("client") or _NAMES.get(PurePath(module).stem, ""))
        if not client or (report.when != "call" and report.outcome == "passed"):
            return
        sent = [f"sent {line}" for name, line in report.user_properties if name == "sent"]
        if hasattr(report, "wasxfail"):
            verdict = "the client's fault" if report.outcome == "skipped" else "fails"
            why = [report.wasxfail]
        else:
            verdict = {"passed": "works", "failed": "fails", "skipped": "not made"}[report.outcome]
            crash = getattr(report.longrepr, "reprcrash", None)
            why = (
                [str(crash.message if crash else report.longreprtext).splitlines()[0][:300]]
                if verdict != "works"
                else []
            )
        self.outcomes.append(Outcome(client=client, call=test, verdict=verdict, said=(*why, *sent)))

    def lines(self) -> Iterator[str]:
        """A line for each call, below it what it says for itself, and the sum."""
        for one in self.outcomes:
            yield f"{one.client:26} {one.call:60} {one.verdict}"
            yield from (f"    {line}" for line in one.said)
        yield ""
        yield self.sum()

    def sum(self) -> str:
        """`failed` counts what is not the client's own fault."""
        failed = sum(one.verdict == "fails" for one in self.outcomes)
        made = [one for one in self.outcomes if one.verdict != "not made"]
        return f"clients={len({one.client for one in made})} calls={len(made)} failed={failed}"
