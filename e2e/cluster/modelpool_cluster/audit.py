"""The API server's own record of who asked what: JSON lines in, events out. Knows the audit format and no cluster."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

_ROLE = re.compile(r' of (?:Cluster)?Role "(?P<name>[^"]+)"')
"""In `RBAC: allowed by ClusterRoleBinding "…" of ClusterRole "…" to …`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One request that the API server answered."""

    received: datetime.datetime
    user: str
    """Empty for a stranger, who was refused."""
    verb: str
    uri: str
    status: int
    """HTTP status."""
    group: str = ""
    """API group; empty for the core group and for requests that are not about an object."""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    user_agent: str = ""
    message: str = ""
    """What the API server said of a request that failed."""
    is_forbidden: bool = False
    """Whether authorization refused it; admission may refuse with the same status."""
    role: str = ""
    """The role by which RBAC let it pass."""

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> AuditEvent:
        """Read an `audit.k8s.io/v1` Event."""
        about = document.get("objectRef", {})
        answer = document.get("responseStatus", {})
        notes = document.get("annotations", {})
        role = _ROLE.search(notes.get("authorization.k8s.io/reason", ""))
        return cls(
            received=datetime.datetime.fromisoformat(document["requestReceivedTimestamp"]),
            user=document.get("impersonatedUser", document["user"]).get("username", ""),
            verb=document["verb"],
            uri=document["requestURI"],
            status=answer.get("code", 0),
            group=about.get("apiGroup", ""),
            resource=about.get("resource", ""),
            subresource=about.get("subresource", ""),
            namespace=about.get("namespace", ""),
            name=about.get("name", ""),
            user_agent=document.get("userAgent", ""),
            message=answer.get("message", ""),
            is_forbidden=notes.get("authorization.k8s.io/decision") == "forbid",
            role=role["name"] if role else "",
        )


def read_events(
    log: Path,
    *,
    since: datetime.datetime | None = None,
    user: str | None = None,
    verbs: Collection[str] | None = None,
    namespace: str | None = None,
    resource: str | None = None,
) -> Iterator[AuditEvent]:
    """Yield the finished requests that match, in the order in which they were answered.

    A watch is written when it starts (stage ResponseStarted) and again when it ends: only the first counts. The last
    line may be half written; it is left for the next reading.
    """
    for line in log.read_text().splitlines(keepends=True):
        if not line.endswith("\n"):
            return
        document = json.loads(line)
        if document["stage"] == "ResponseComplete" and document["verb"] == "watch":
            continue
        event = AuditEvent.from_document(document)
        if (
            (since is None or event.received >= since)
            and (user is None or event.user == user)
            and (verbs is None or event.verb in verbs)
            and (namespace is None or event.namespace == namespace)
            and (resource is None or event.resource == resource)
        ):
            yield event
