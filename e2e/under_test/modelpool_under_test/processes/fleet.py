"""Many ModelPools at once on the real control plane, and what the operator costs until they are there, and afterwards.

kwok plays the nodes and the pods; API server, controllers, scheduler and the operator with its rights are real. Called
by the case `operator_at_size` with a few pools, and by `bench/operator` with many.
"""

import collections
import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from modelpool_cluster import rest, waiting
from modelpool_cluster.cluster import Cluster

from .operator_program import Operator

MODELS: Final = 4
"""Of each pool: three vLLM engines on one card, each with a fallback, and one model of Ollama's."""
_POOLS_PER_NODE: Final = 8
_QUIET_SECONDS: Final = 5.0
_CREATORS: Final = 4
_TICKS: Final = os.sysconf("SC_CLK_TCK")
WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})

Object = dict[str, Any]


def manifest(number: int) -> Object:
    """Return one pool; no two share the name of a model. One model of Ollama's stands in for its engines."""
    vllm = [
        {
            "name": f"qwen3-{number}-{place}:8b",
            "engine": "vllm",
            "source": "hf://Qwen/Qwen3-8B-AWQ",
            "gpuMemoryFraction": 0.3,
            "contextLength": 4096,
            "weights": "4Gi",
            "fallback": {"model": "cogito:8b"},
        }
        for place in range(MODELS - 1)
    ]
    ollama = {"name": f"cogito-{number}:8b", "engine": "ollama", "source": "ollama://cogito:8b"}
    return {
        "apiVersion": "modelpool.dev/v1alpha1",
        "kind": "ModelPool",
        "metadata": {"name": f"pool-{number}"},
        "spec": {"gpus": {"count": 1, "memory": "24Gi"}, "models": [*vllm, ollama]},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a process has used so far."""

    cpu_seconds: float
    rss_mib: float
    peak_mib: float

    @classmethod
    def of(cls, pid: int) -> "Cost":
        """Read it from /proc."""
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        kib = {words[0]: int(words[1]) for words in lines if words and words[0] in ("VmRSS:", "VmHWM:")}
        return cls(
            cpu_seconds=sum(map(int, ticks)) / _TICKS, rss_mib=kib["VmRSS:"] / 1024, peak_mib=kib["VmHWM:"] / 1024
        )


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The pools, spread over some namespaces."""

    cluster: Cluster
    namespaces: tuple[str, ...]
    count: int
    said: Callable[[str], None] = field(default=lambda _: None)
    _settled: int = 0
    """Pools from the first on that have been seen to be as wanted."""

    def furnish(self) -> None:
        """Add nodes with twice the room: the pods of a pool stand on one node, and the first takes no place for all."""
        for number in range(-(-self.count // _POOLS_PER_NODE)):
            self.cluster.add_gpu_node(f"size-{number}", gpus=_POOLS_PER_NODE, replicas=2 * MODELS)

    def clear(self) -> None:
        """Take the nodes away, and the pods on them."""
        for number in range(-(-self.count // _POOLS_PER_NODE)):
            self.cluster.remove_node(f"size-{number}")

    def create(self) -> None:
        """Make all pools, as fast as the API server takes them."""
        placed = list(zip(range(self.count), itertools.cycle(self.namespaces), strict=False))

        def make(part: list[tuple[int, str]]) -> None:
            api = rest.Api(self.cluster.kubeconfig)
            try:
                for number, namespace in part:
                    api.create(pools(namespace), manifest(number))
            finally:
                api.close()

        with ThreadPoolExecutor(_CREATORS) as creators:
            list(creators.map(make, (placed[place::_CREATORS] for place in range(_CREATORS))))

    def unsettled(self) -> dict[str, str]:
        """Return the pools that are not what they shall be, with what they say."""
        found = {}
        for namespace in self.namespaces:
            for one in self.cluster.api.items(pools(namespace)):
                if words := _complaint(one):
                    found[one["metadata"]["name"]] = words
        return found

    def _last_one(self) -> Object:
        """Return a pool that is not yet what it shall be, or was the last: to list all costs the API server a lot."""
        while self._settled < self.count:
            namespace = self.namespaces[self._settled % len(self.namespaces)]
            body = self.cluster.api.get(f"{pools(namespace)}/pool-{self._settled}")
            if _complaint(body):
                return body
            self._settled += 1
        return {}

    def wait_until_steady(self, operator: Operator, *, timeout: float) -> None:
        """Wait until every pool is served by its own engines and the operator has stopped to write."""

        def look() -> bool:
            operator.program.assert_alive()
            waits_for = self._last_one()
            left = self.unsettled() if not waits_for else {waits_for["metadata"]["name"]: _complaint(waits_for)}
            cpu = Cost.of(operator.program.process.pid).cpu_seconds
            self.said(
                f"At least {self._settled} of {self.count} pools are as wanted; the operator took {cpu:.0f} s of CPU"
            )
            assert not left, f"{len(left)} pools are not as wanted, such as {next(iter(left.items()))}"
            return True

        waiting.wait_for(f"{self.count} pools", look, timeout=timeout, every=5.0)
        waiting.wait_for("the operator's rest", lambda: _quiet(operator), timeout=60, every=1.0)

    def last_write(self, operator: Operator, began: datetime) -> float:
        """Return the seconds from `began` to the operator's last write."""
        found = self.cluster.audit_events(user=operator.user, since=began, verbs=WRITES)
        writes = [one for one in found if one.resource != "leases"]
        by_kind = collections.Counter(f"{one.verb} {one.resource}/{one.subresource}".rstrip("/") for one in writes)
        self.said(f"{len(writes) / self.count:.1f} writes a pool: {dict(by_kind)}")
        return round((max(one.received for one in writes) - began).total_seconds(), 1)


def _complaint(pool: Object) -> str:
    """Return what a pool says when it is not served by its own engines, at rest; else nothing."""
    said = {one["type"]: one for one in (pool.get("status") or {}).get("conditions", ())}
    calm = {"Ready": "True", "Progressing": "False", "Degraded": "False"}
    if {kind: said.get(kind, {}).get("status") for kind in calm} == calm:
        return ""
    return "; ".join(f"{one['type']} {one['status']}: {one['message']}" for one in said.values()) or "it has no status"


def _quiet(operator: Operator) -> bool:
    since = datetime.fromtimestamp(time.time() - _QUIET_SECONDS, tz=UTC)
    assert not (writes := operator.writes(since)), writes[:3]
    return True


def pools(namespace: str) -> str:
    """Return the path of the pools of a namespace."""
    return f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools"


def measured(operator: Operator, *, seconds: float) -> dict[str, float]:
    """Look on for a while, and return what the operator does when nothing happens."""
    pid = operator.program.process.pid
    began, before, passes = datetime.now(UTC), Cost.of(pid), operator.passes()
    time.sleep(seconds)  # the very thing to be measured
    after, took = Cost.of(pid), (datetime.now(UTC) - began).total_seconds()
    return {
        "writes_per_minute_at_rest": round(len(operator.writes(began)) / took * 60, 1),
        "operator_rss_mib": round(after.peak_mib, 1),
        "operator_cpu_percent_at_rest": round(100 * (after.cpu_seconds - before.cpu_seconds) / took, 2),
        "operator_cpu_seconds_until_steady": round(before.cpu_seconds, 1),
        "operator_rss_mib_at_rest": round(after.rss_mib, 1),
        "passes_at_rest": operator.passes() - passes,
    }
