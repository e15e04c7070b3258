"""Roles against requests: RBAC's own rules, wildcards and names included."""

import datetime
from typing import Any

import pytest

from modelpool_cluster.audit import AuditEvent
from modelpool_cluster.rights import Audit, Right, replay

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)


def rule(groups: str, resources: str, verbs: str, *names: str) -> dict[str, Any]:
    found: dict[str, Any] = {"apiGroups": groups.split(","), "resources": resources.split(), "verbs": verbs.split()}
    return {**found, "resourceNames": list(names)} if names else found


def manifests(*rules: dict[str, Any], namespace: str = "") -> list[dict[str, Any]]:
    """A ServiceAccount `cook` with a role of these rules; in one namespace, or everywhere."""
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": "kitchen", **({"namespace": namespace} if namespace else {})}
    return [
        {"kind": "ServiceAccount", "metadata": {"name": "cook", "namespace": "house"}},
        {"kind": kind, "metadata": metadata, "rules": list(rules)},
        {
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"kind": kind, "name": "kitchen"},
            "subjects": [
                {"kind": "ServiceAccount", "name": "cook", "namespace": "house"},
                {"kind": "ServiceAccount", "name": "guest", "namespace": "house"},
            ],
        },
    ]


def asked(verb: str, resource: str, **more: Any) -> AuditEvent:
    about: dict[str, Any] = {"user": "system:serviceaccount:house:cook", "status": 200, "uri": f"/{resource}"}
    resource, _, subresource = resource.partition("/")
    return AuditEvent(received=NOW, verb=verb, resource=resource, subresource=subresource, **{**about, **more})


def last(audit: Audit) -> str:
    return [*audit.lines()][-1]


def test_each_verb_of_each_resource_counts() -> None:
    audit = replay(manifests(rule("", "pods services", "get list")), [asked("get", "pods"), asked("list", "pods")])

    assert [*audit.lines()] == [
        "unused: cook: get core/services",
        "unused: cook: list core/services",
        "granted=4 used=2 unused=2 missing=0",
    ]
    assert not audit.holds


def test_what_is_used_and_granted_holds() -> None:
    audit = replay(manifests(rule("apps", "deployments", "list")), [asked("list", "deployments", group="apps")] * 2)

    assert (audit.holds, audit.requests) == (True, 2)
    assert [*audit.lines()] == ["granted=1 used=1 unused=0 missing=0"]


def test_a_right_that_another_role_gave_is_missing_here() -> None:
    """An admin that helped out in a test must not hide what the chart forgot."""
    audit = replay(manifests(rule("", "pods", "get")), [asked("get", "pods"), asked("get", "secrets", role="edit")])

    assert [str(right) for right in audit.missing] == ["cook: get core/secrets"]


@pytest.mark.parametrize("role", ["system:discovery", "system:basic-user", "system:public-info-viewer"])
def test_what_everybody_may_is_nobody_s_right(role: str) -> None:
    events = [asked("get", "pods"), asked("create", "selfsubjectaccessreviews", role=role)]
    assert replay(manifests(rule("", "pods", "get")), events).holds


def test_requests_about_no_object_need_no_rule() -> None:
    assert replay(manifests(rule("", "pods", "get")), [asked("get", "pods"), asked("get", "", uri="/version")]).holds


def test_other_accounts_and_other_people_do_not_count() -> None:
    events = [
        asked("get", "pods", user="system:serviceaccount:house:waiter"),
        asked("get", "pods", user="ann"),
        asked("delete", "pods", user="", is_forbidden=True, status=401),
    ]
    audit = replay(manifests(rule("", "pods", "get")), events)

    assert (last(audit), audit.requests) == ("granted=1 used=0 unused=1 missing=0", 0)


def test_a_subresource_is_a_resource_of_its_own() -> None:
    audit = replay(manifests(rule("", "pods", "get")), [asked("get", "pods/log")])
    assert last(audit) == "granted=1 used=0 unused=1 missing=1"


def test_applying_what_is_not_there_creates_it() -> None:
    role = manifests(rule("", "services", "create patch"))
    assert last(replay(role, [asked("patch", "services", status=200)])) == "granted=2 used=1 unused=1 missing=0"
    assert replay(role, [asked("patch", "services", status=201)]).holds


def test_a_refusal_names_what_is_missing() -> None:
    """Of an apply that may patch and may not create, the log shows a patch that authorization let pass."""
    message = (
        'services "x" is forbidden: User "…" cannot create resource "services" in API group "" in the namespace "a"'
    )
    audit = replay(
        manifests(rule("", "services", "patch")),
        [asked("patch", "services"), asked("patch", "services", status=403, message=message, name="x", namespace="a")],
    )
    assert [str(right) for right in audit.missing] == ["cook: create core/services"]


def test_a_refusal_without_words_is_missing_too() -> None:
    audit = replay(
        manifests(rule("", "pods", "list")),
        [asked("list", "pods"), asked("watch", "pods", status=403, is_forbidden=True)],
    )
    assert [str(right) for right in audit.missing] == ["cook: watch core/pods"]


def test_what_is_refused_after_the_role_went_tells_nothing() -> None:
    """An uninstallation takes rights away from programs that still run."""
    refused = asked("list", "pods", status=403, is_forbidden=True)

    def binding(verb: str, name: str = "house:cook") -> AuditEvent:
        group = "rbac.authorization.k8s.io"
        return asked(verb, "clusterrolebindings", user="ann", group=group, name=name)

    role = manifests(rule("", "pods", "list"))
    used = asked("list", "pods")
    assert replay(role, [used, binding("delete"), refused]).holds
    assert not replay(role, [used, binding("delete"), binding("create"), refused]).holds
    assert not replay(role, [used, binding("delete", "flat:cook"), refused]).holds
    assert not replay(role, [used, refused, binding("delete")]).holds


def test_a_refusal_by_admission_is_a_use_of_the_right() -> None:
    message = 'pods "x" is forbidden: unable to create new content in namespace a because it is being terminated'
    assert replay(manifests(rule("", "pods", "create")), [asked("create", "pods", status=403, message=message)]).holds


@pytest.mark.parametrize(
    ("wide", "request_"),
    [
        (rule("", "*", "get"), asked("get", "pods/log")),
        (rule("*", "pods", "get"), asked("get", "pods", group="metrics.k8s.io")),
        (rule("", "pods", "*"), asked("evict", "pods")),
        (rule("", "*/scale", "get"), asked("get", "deployments/scale")),
    ],
    ids=["resources", "groups", "verbs", "subresources"],
)
def test_a_wildcard_suffices_and_is_never_used(wide: dict[str, Any], request_: AuditEvent) -> None:
    """No run can show that all of it was needed."""
    assert last(replay(manifests(wide), [request_])) == "granted=1 used=0 unused=1 missing=0"


def test_a_subresource_s_wildcard_is_not_the_resource_s() -> None:
    assert len(replay(manifests(rule("", "*/scale", "get")), [asked("get", "deployments")]).missing) == 1


def test_a_named_right_is_for_that_object() -> None:
    role = manifests(rule("", "configmaps", "get", "one", "two"))
    audit = replay(role, [asked("get", "configmaps", name="one"), asked("get", "configmaps", name="three")])

    assert last(audit) == "granted=2 used=1 unused=1 missing=1"
    assert [str(right) for right in audit.unused] == ["cook: get core/configmaps/two"]


@pytest.mark.parametrize("verb", ["create", "deletecollection"])
def test_a_named_right_does_not_create(verb: str) -> None:
    """RBAC decides before there is a name, although the log shows one."""
    audit = replay(manifests(rule("", "configmaps", verb, "one")), [asked(verb, "configmaps", name="one")])
    assert last(audit) == "granted=1 used=0 unused=1 missing=1"


def test_a_role_of_a_namespace_holds_there() -> None:
    role = manifests(rule("", "pods", "list"), namespace="a")
    assert replay(role, [asked("list", "pods", namespace="a")]).holds
    assert last(replay(role, [asked("list", "pods")])) == "granted=1 used=0 unused=1 missing=1"


def test_rights_sort_and_say_where() -> None:
    right = Right(account="cook", group="apps", resource="deployments", verb="get", name="x", namespace="a")
    assert str(right) == "cook: get apps/deployments/x in a"


def test_a_role_where_the_account_is_at_home_holds_wherever_that_is() -> None:
    """The chart is rendered for one namespace, and installed by each case in another."""
    granted = manifests(rule("", "pods", "list"), namespace="house")
    elsewhere = {"user": "system:serviceaccount:flat:cook"}

    assert replay(granted, [asked("list", "pods", namespace="flat", **elsewhere)]).holds
    audit = replay(granted, [asked("list", "pods", namespace="house", **elsewhere)])
    assert [*audit.lines()] == [
        "unused: cook: list core/pods in its own namespace",
        "missing: cook: list core/pods",
        "granted=1 used=0 unused=1 missing=1",
    ]
