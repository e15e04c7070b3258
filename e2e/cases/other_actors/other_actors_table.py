"""The table: who writes beside the operator, what, how often; and what is wanted of children, conditions and Events.

A row is a pool in a namespace of its own. All rows run beside each other, on one control plane with one operator.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from other_actors_admission import REGISTRY, Webhook, name_of
from other_actors_hands import (
    deletes_the_pods,
    deletes_the_service,
    edits_by_hand,
    moves_the_port,
    moves_the_service,
    narrows_the_selector,
    opens_a_port_of_the_host,
    restores_an_older_one,
    restores_the_status,
    rolls,
    scales,
    sets_the_image,
    sets_the_spec,
    takes_the_label,
    takes_the_owner,
    touches_the_pool,
    wipes_the_status,
    wipes_what_is_held,
)
from other_actors_stage import Act, Actor, Object, engine_of, events_of

from modelpool_cluster.rest import MERGE
from modelpool_under_test.processes.pools import Pool, small


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One of those who write, and what becomes of it."""

    pool: Callable[..., Object] = small
    models: int = 1
    actor: Actor | None = None
    """Begins when the pool is ready."""
    webhook: Webhook | None = None
    """In force before the pool is made."""
    ready: bool = True
    """Whether the pool comes up at all."""
    condition: tuple[str, str] = ("Degraded", "AsWanted")
    """Type and reason, after two minutes."""
    says: tuple[str, ...] = ()
    """Words of its message."""
    events: dict[str, int] = field(default_factory=dict)
    """How many Events of a reason there are at the most; of reasons that are not named, none."""
    told: tuple[str, ...] = ()
    """Words of one of them, which has to be there."""
    writes: int = 6
    """Of the operator, in the second minute, at the most."""
    children: Callable[[Pool], None] = lambda _: None
    """Asserts what became of the children."""
    end: Callable[[Pool], None] = lambda _: None
    """Lets go of the pool, so that it can be removed."""


def as_before_the_edit(pool: Pool) -> None:
    """Assert that nothing of it is left."""
    found = {one["kind"]: one for one in pool.children(("Deployment", "Service"))}
    spec = found["Deployment"]["spec"]
    assert "paused" not in spec
    assert spec["strategy"] == {"type": "Recreate"}
    assert "hostPort" not in spec["template"]["spec"]["containers"][0]["ports"][0]
    assert "nodeSelector" not in spec["template"]["spec"] or "disk" not in spec["template"]["spec"]["nodeSelector"]
    assert "memory" not in (spec["template"]["spec"]["containers"][0]["resources"].get("limits") or {})
    assert "version" not in found["Service"]["spec"]["selector"]


def no_deployment_and_all_else(pool: Pool) -> None:
    """Assert that what was not denied is there."""
    found = pool.names()
    assert not {one for one in found if one.startswith("Deployment ")}
    assert {f"Service {engine_of(pool.namespace)}", "ConfigMap small-routes", "ConfigMap small-scripts"} <= found


def from_the_mirror(pool: Pool) -> None:
    """Assert that the engine runs what admission made of it."""
    (live,) = pool.children(("Deployment",))
    assert live["spec"]["template"]["spec"]["containers"][0]["image"].startswith(REGISTRY)
    assert len(pool.pods("vllm")) == 1


def with_ollama(*, models: int) -> Object:
    """Return a pool with models of Ollama's, which are pulled."""
    body = small(models=models)
    body["spec"]["ollama"] = {"enabled": True}
    body["spec"]["models"] = [{"name": "", "engine": "ollama", "source": "ollama://cogito:8b"}] * models
    return body


def pulled_once(pool: Pool) -> None:
    """Assert that the model's Job is gone, and was made once."""
    assert not {one for one in pool.names() if one.startswith("Job ")}
    made = pool.cluster.audit_events(namespace=pool.namespace, resource="jobs", verbs={"patch"})
    assert len([one for one in made if one.user.endswith("operator")]) == 1, made


def too_large(*, models: int) -> Object:
    """Return a pool of which one model does not fit beside the other."""
    body = small(models=models)
    for model in body["spec"]["models"]:
        del model["gpuMemoryFraction"]
        model["gpuMemory"] = "16Gi"
    return body


def held(*, models: int) -> Object:
    """Return a pool that somebody's finalizer holds when it is deleted."""
    body = small(models=models)
    body["metadata"]["finalizers"] = ["example.com/backup"]
    return body


def lets_go(pool: Pool) -> None:
    """Take the finalizer away."""
    pool.cluster.api.patch(pool.path, {"metadata": {"finalizers": None}}, MERGE)


def fight(what: Act, *says: str, events: int = 0, models: int = 1) -> Row:
    """Return the row of somebody who undoes the operator's work without end."""
    told = {"ChildPutBack": events}
    return Row(actor=Actor(what=what), models=models, condition=("Degraded", "Interference"), says=says, events=told)


def refusal(hook: Webhook, *says: str) -> Row:
    """Return the row of a webhook that lets no Deployment be made."""
    told = {"ApplyFailed": 1, "DeniedByPolicy": 1, "WebhookAway": 1}
    says = (name_of(hook), *says)
    return Row(
        webhook=hook,
        ready=False,
        condition=("Degraded", "ApplyFailed"),
        says=says,
        events=told,
        told=(name_of(hook),),
        children=no_deployment_and_all_else,
    )


ROWS: Final[dict[str, Row]] = {
    "image": fight(sets_the_image, "'image-updater' changes", "/image; put back", events=1),
    "images": fight(sets_the_image, "'image-updater'", "put back", events=3, models=3),
    "replicas": fight(scales, "'autoscaler' changes /spec/replicas; put back", events=1),
    "service": fight(deletes_the_service, "Service {engine}: somebody deletes it"),
    "selector": fight(narrows_the_selector, "'mesh' changes /spec/selector/version; put back", events=1),
    "label": fight(
        takes_the_label, "'labeller' changes /metadata/labels/app.kubernetes.io/managed-by; put back", events=1
    ),
    "owner": fight(takes_the_owner, "/metadata/ownerReferences", events=1),
    "export": fight(
        restores_an_older_one,
        "Service {engine}: 'argocd-controller' changes /metadata/annotations/modelpool.dev/applied; put back",
        events=1,
    ),
    "strategy": fight(rolls, "'kubectl-patch' changes /spec/strategy/type; put back", events=1),
    "port": fight(moves_the_port, "'kubectl-edit' changes", "/ports/http/containerPort; put back", events=1),
    "address": fight(moves_the_service, "'kubectl-edit' changes /spec/ports/http/port; put back", events=1),
    "hostport": fight(opens_a_port_of_the_host, "'carol' changes", "/ports/http/hostPort; put back", events=1),
    "spec": fight(sets_the_spec, "the ModelPool was changed", "last"),
    "refused": Row(
        pool=too_large,
        models=2,
        ready=False,
        actor=Actor(what=sets_the_spec),
        condition=("Degraded", "Interference"),
        says=("the ModelPool was changed", "last"),
        events={"CardOverfull": 1},
        told=("CardOverfull",),
    ),
    "status": Row(
        actor=Actor(what=restores_the_status),
        condition=("", ""),
        events={"StatusOverwritten": 1},
        told=("'restore' writes over the status",),
    ),
    "wiped": Row(
        actor=Actor(what=wipes_the_status),
        condition=("", ""),
        events={"StatusOverwritten": 1},
        told=("'wiper' writes over the status",),
    ),
    "held": Row(
        pool=held,
        actor=Actor(what=wipes_what_is_held),
        condition=("", ""),
        events={"StatusOverwritten": 1},
        told=("'wiper' writes over the status",),
        end=lets_go,
    ),
    "pods": Row(actor=Actor(what=deletes_the_pods), condition=("", "")),
    "notes": Row(actor=Actor(what=touches_the_pool), writes=0),
    "edit": Row(
        actor=Actor(what=edits_by_hand, every=0), events={"ChildPutBack": 2}, writes=0, children=as_before_the_edit
    ),
    "rewritten": Row(webhook=Webhook("rewrite"), writes=0, children=from_the_mirror),
    "ttl": Row(pool=with_ollama, webhook=Webhook("ttl", "jobs"), writes=0, children=pulled_once),
    "denied": refusal(Webhook("deny"), "engines need a cost centre", "A policy of the cluster forbids it"),
    "down": refusal(Webhook("down"), "connection refused", "is down or hangs"),
    "hangs": refusal(Webhook("hang"), "is down or hangs"),
}


def problems_with_events(pool: Pool, row: Row) -> list[str]:
    """Return which Events a row does not allow, and which it lacks."""
    left, said = dict(row.events), events_of(pool)
    found = []
    for reason, message in said:
        left[reason] = left.get(reason, 0) - 1
        if left[reason] < 0:
            found.append(f"an Event that is not wanted: {reason}: {message}")
    if row.told and not any(all(words in f"{reason}: {message}" for words in row.told) for reason, message in said):
        found.append(f"no Event says {row.told}: {said}")
    return found
