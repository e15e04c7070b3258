"""A pool watched by whoever waits: what its user could read meanwhile, and which of its models answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from real_node_pool import Pool
from real_node_release import Object

from modelpool_cluster import waiting

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at a pool as often as its `until` does."""

    pool: Pool
    conditions: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    """Messages by condition, status and reason, in the order in which they were seen."""
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
        for one in self.pool.status().get("conditions", ()):
            messages = self.conditions.setdefault((one["type"], one["status"], one["reason"]), [])
            if one["message"] not in messages:
                messages.append(one["message"])
        answering = {model for model in self.pool.vllm_models if any(map(answers, self.pool.pods(model)))}
        if answering not in self.answering[-1:]:
            self.answering.append(answering)

    def said(self, condition: str, status: str, reason: str) -> str:
        """Return all that a condition said for a reason. Fails when it never had that reason."""
        assert (condition, status, reason) in self.conditions, str(self)
        return "\n".join(self.conditions[condition, status, reason])

    def until_said(self, condition: str, status: str, reason: str, words: str, *, timeout: float = 120) -> str:
        """Wait until a condition says some words for a reason; returns the message."""

        def look() -> str:
            found = self.pool.condition(condition)
            assert (found.get("status"), found.get("reason")) == (status, reason), found
            assert words in found["message"], found
            return str(found["message"])

        return self.until(f"{condition}={status}, {reason}", look, timeout=timeout)

    def __str__(self) -> str:
        lines = [
            f"  {condition}={status} {reason}: {message}"
            for (condition, status, reason), messages in self.conditions.items()
            for message in messages
        ]
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
