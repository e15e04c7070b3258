"""What roles grant, held against what the API server was asked: every right used, and none missing.

Pure: manifests and audit events in, an audit out. A right is one verb on one resource, so that a rule of three
resources and four verbs grants twelve. Server-side apply of an object that is not there asks for `create` beside
`patch`, within one request; the audit log shows that by the status 201. Called by the command line and by tests.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from .audit import AuditEvent

ANY = "*"
_EVERYBODY_S = frozenset({"system:basic-user", "system:discovery", "system:public-info-viewer"})
"""ClusterRoles that Kubernetes binds to everybody who has logged in."""
_NOT_AT_CREATION = frozenset({"create", "deletecollection"})
"""Verbs that are authorized before there is a name."""
_REFUSED = re.compile(r'cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"')
_CREATED = 201
_FAILED = 400
_RBAC = "rbac.authorization.k8s.io"
_HOME = "its own namespace"
"""Stands for the namespace in which an account was installed: programs are installed under many names."""
_COMES_AND_GOES = frozenset({"create", "patch", "update", "delete"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Right:
    """One verb on one resource."""

    account: str
    """The ServiceAccount's name."""
    group: str
    """API group; empty for the core group."""
    resource: str
    """`pods` or, with its subresource, `pods/log`."""
    verb: str
    name: str = ""
    """The one object that it is about; empty for all."""
    namespace: str = ""
    """Where it holds; empty for everywhere."""

    def __str__(self) -> str:
        about = "/".join(part for part in (self.group or "core", self.resource, self.name) if part)
        return f"{self.account}: {self.verb} {about}{f' in {self.namespace}' if self.namespace else ''}"

    @property
    def is_open(self) -> bool:
        """Whether it holds a wildcard, so that no run can show all of it to be used."""
        return ANY in (self.verb, self.group) or self.resource.startswith(ANY)

    def covers(self, asked: Right) -> bool:
        """Return whether it suffices for what was asked, as RBAC decides."""
        _, _, below = asked.resource.partition("/")
        return (
            self.account == asked.account
            and self.verb in (ANY, asked.verb)
            and self.group in (ANY, asked.group)
            and self.resource in (ANY, asked.resource, *([f"{ANY}/{below}"] if below else ()))
            and self.namespace in ("", asked.namespace)
            and (not self.name or (self.name == asked.name and asked.verb not in _NOT_AT_CREATION))
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What came of a replay."""

    granted: tuple[Right, ...]
    used: tuple[Right, ...]
    """Of those granted."""
    missing: tuple[Right, ...]
    """Asked for, and refused or had from another role."""
    requests: int
    """How many requests the accounts sent."""

    @property
    def unused(self) -> tuple[Right, ...]:
        """What was granted for nothing."""
        return tuple(right for right in self.granted if right not in self.used)

    @property
    def holds(self) -> bool:
        """Whether the roles are what was needed, no more and no less."""
        return not self.unused and not self.missing

    def lines(self) -> Iterator[str]:
        """Yield the audit for people; the last line has the counts."""
        yield from (f"unused: {right}" for right in self.unused)
        yield from (f"missing: {right}" for right in self.missing)
        counts = {name: len(getattr(self, name)) for name in ("granted", "used", "unused", "missing")}
        yield " ".join(f"{name}={count}" for name, count in counts.items())


def replay(manifests: Iterable[Mapping[str, Any]], events: Iterable[AuditEvent]) -> Audit:
    """Hold the roles that manifests bind to their ServiceAccounts against what those accounts asked for.

    An account is known by its name, in whatever namespace it was installed. What was refused to it after one of its
    roles or bindings had been deleted, and before that came back, tells nothing: an uninstallation takes rights away
    from programs that still run. Those objects are told by their names: the account's, or `namespace:account`.
    """
    documents = [one for one in manifests if one]
    accounts = {one["metadata"]["name"] for one in documents if one["kind"] == "ServiceAccount"}
    granted = tuple(sorted(set(_granted(documents, accounts))))
    used: set[Right] = set()
    missing: set[Right] = set()
    requests = 0
    withdrawn: set[str] = set()
    for event in events:
        if event.group == _RBAC and event.verb in _COMES_AND_GOES and event.status < _FAILED:
            (withdrawn.add if event.verb == "delete" else withdrawn.discard)(f"{event.resource}/{event.name}")
        account, home = _account(event.user)
        if account not in accounts:
            continue
        requests += 1
        if (refused := _refused(account, event)) is not None:
            if not any(name.partition("/")[2] in (account, f"{home}:{account}") for name in withdrawn):
                missing.add(refused)
            continue
        for asked in _asked(account, event):
            at_home = dataclasses.replace(asked, namespace=_HOME) if event.namespace == home else asked
            covering = {right for right in granted if right.covers(asked) or right.covers(at_home)}
            used |= {right for right in covering if not right.is_open}
            if not covering:
                missing.add(asked)
    return Audit(
        granted=granted, used=tuple(sorted(used)), missing=tuple(sorted(_without_names(missing))), requests=requests
    )


def _granted(documents: Collection[Mapping[str, Any]], accounts: Collection[str]) -> Iterator[Right]:
    rules = {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one["rules"]
        for one in documents
        if one["kind"] in ("Role", "ClusterRole")
    }
    homes = {one["metadata"].get("namespace") for one in documents if one["kind"] == "ServiceAccount"}
    for one in documents:
        if one["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        namespace = one["metadata"].get("namespace", "") if one["kind"] == "RoleBinding" else ""
        role = one["roleRef"]
        found = rules[role["kind"], namespace if role["kind"] == "Role" else "", role["name"]]
        bound = [subject["name"] for subject in one["subjects"] if subject["kind"] == "ServiceAccount"]
        for account, rule in itertools.product((name for name in bound if name in accounts), found):
            names = rule.get("resourceNames") or [""]
            for group, resource, verb, name in itertools.product(
                rule.get("apiGroups", ()), rule.get("resources", ()), rule["verbs"], names
            ):
                where = _HOME if namespace in homes else namespace
                yield Right(account=account, group=group, resource=resource, verb=verb, name=name, namespace=where)


def _account(user: str) -> tuple[str, str]:
    """Return the name of a ServiceAccount and its namespace; of others, nothing."""
    kind, _, rest = user.rpartition("serviceaccount:")
    namespace, _, name = rest.partition(":")
    return (name, namespace) if kind == "system:" else ("", "")


def _asked(account: str, event: AuditEvent) -> Iterator[Right]:
    """Yield what a request needed; nothing for what is open to everybody."""
    if not event.resource or event.role in _EVERYBODY_S:
        return
    asked = _right(account, event)
    yield asked
    if event.verb == "patch" and event.status == _CREATED:
        yield dataclasses.replace(asked, verb="create")


def _refused(account: str, event: AuditEvent) -> Right | None:
    """Return the right that a request was refused for, in the API server's own words where there are some."""
    if found := _REFUSED.search(event.message):
        return dataclasses.replace(_right(account, event), **found.groupdict())
    return _right(account, event) if event.is_forbidden else None


def _right(account: str, event: AuditEvent) -> Right:
    resource = "/".join(part for part in (event.resource, event.subresource) if part)
    return Right(
        account=account, group=event.group, resource=resource or event.uri.partition("?")[0], verb=event.verb,
        name=event.name, namespace=event.namespace,
    )  # fmt: skip


def _without_names(rights: Iterable[Right]) -> set[Right]:
    """Leave out which object it was: a role is written for the kind."""
    return {dataclasses.replace(right, name="", namespace="") for right in rights}
