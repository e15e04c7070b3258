"""The operator as a process beside a cluster: its readiness, its pages, and what it asked the API server for."""

import re
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from modelpool_cluster import waiting
from modelpool_cluster.audit import AuditEvent
from modelpool_cluster.cluster import Cluster

from .programs import Program

_WRITES: Final = {"create", "update", "patch", "delete", "deletecollection"}


@dataclass(slots=True, kw_only=True)
class Operator:
    """The operator, running with its ServiceAccount's rights."""

    cluster: Cluster
    user: str
    """Its name in the audit log."""
    program: Program
    ports: dict[str, int] = field(default_factory=dict)
    counted_since: datetime | None = None
    """Refusals before then do not count: an API server that has just started knows no roles for a moment."""

    def wait_until_ready(self) -> None:
        """Wait for its servers and for 200 from /readyz."""

        def served() -> bool:
            self.program.assert_alive()
            self.ports = {line["what"]: line["port"] for line in self.program.lines() if line["message"] == "Serving"}
            return self.ports.keys() >= {"health", "metrics"}

        waiting.wait_for("the operator's servers", served)

        def ready() -> bool:
            self.program.assert_alive()
            try:
                return self.fetch("health", "/readyz") == "ok"
            except urllib.error.HTTPError as exc:
                with exc:
                    raise AssertionError(exc.read().decode()) from exc

        waiting.wait_for("the operator's readiness", ready)

    def fetch(self, server: str, path: str) -> str:
        """Return a page of one of its servers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[server]}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def passes(self) -> int:
        """Return how many passes it has made over pools."""
        counts = re.findall(
            r"^modelpool_operator_reconciles_total\{.*\} (\S+)$", self.fetch("metrics", "/metrics"), re.MULTILINE
        )
        return int(sum(float(count) for count in counts))

    def requests(self, since: datetime | None = None) -> list[AuditEvent]:
        """Return its requests as the API server has recorded them."""
        return self.cluster.audit_events(user=self.user, since=since)

    def writes(self, since: datetime | None = None) -> list[str]:
        """Return its requests that change something, as `patch deployments/name` or `patch modelpools/name/status`.

        Its Lease is left out, which it renews whatever happens.
        """
        found = self.cluster.audit_events(user=self.user, since=since, verbs=_WRITES)
        return [
            f"{one.verb} {one.resource}/{one.name}{f'/{one.subresource}' if one.subresource else ''}"
            for one in found
            if one.resource != "leases"
        ]
