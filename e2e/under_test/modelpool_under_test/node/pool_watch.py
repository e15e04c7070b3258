"""A pool watched by whoever waits: what its user could read meanwhile, and which of its models answered."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from modelpool_cluster import waiting

from .pool import Pool
from .release import Object

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at a pool as often as its `until` does."""

    pool: Pool
    began: float = field(default_factory=time.monotonic)
    seen: list[tuple[float, str, str]] = field(default_factory=list)
    """What was seen for the first time: seconds, a condition with its status and reason, a message."""
    answering: list[set[str]] = field(default_factory=list)
    """The vLLM models with a pod that is ready and was not told to end, each time that they were others."""

    def until(self, what: str, look: Callable[[], T], *, timeout: float = 120) -> T:
        """Wait for something, and remember what was to be seen until then. Raises TimeoutError."""

        def both() -> T:
            self.look()
            return look()

        try:
            return waiting.wait_for(what, both, timeout=timeout, every=0.1)
        except TimeoutError as exc:
            raise TimeoutError(f"{exc}; {self}") from exc

    def look(self) -> None:
        """Look at the pool once."""
        seconds = time.monotonic() - self.began
        for one in self.pool.status().get("conditions", ()):
            words = f"{one['type']}={one['status']} {one['reason']}", one["message"]
            if words not in (before[1:] for before in self.seen):
                self.seen.append((seconds, *words))
        answering = {model for model in self.pool.vllm_models if any(map(answers, self.pool.pods(model)))}
        if answering not in self.answering[-1:]:
            self.answering.append(answering)

    def said(self, condition: str) -> str:
        """Return all that was said for a reason, as in `Ready=False NodeLost`; nothing where that never was one."""
        return "\n".join(message for _, what, message in self.seen if what == condition)

    def until_said(self, condition: str, words: str = "", *, timeout: float = 120) -> str:
        """Wait until a condition, as in `Ready=False NodeLost`, says some words; returns the message."""

        def look() -> str:
            found = self.pool.condition(condition.partition("=")[0])
            assert f"{found.get('type')}={found.get('status')} {found.get('reason')}" == condition, found
            assert words in found["message"], found
            return str(found["message"])

        return self.until(condition, look, timeout=timeout)

    def __str__(self) -> str:
        lines = [f"{seconds:7.1f} s  {what}: {message}" for seconds, what, message in self.seen]
        return "\n".join([f"{self.pool.name}; it answered as {self.answering}", *lines])


def answers(pod: Object) -> bool:
    """Return whether a pod is ready and was not told to end."""
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def table(pool: Pool) -> str:
    """Return what `kubectl get mp -o wide` prints."""
    printed = pool.cluster.kubectl("get", "mp", pool.name, f"--namespace={pool.namespace}", "--output=wide")
    print(printed)
    return printed
