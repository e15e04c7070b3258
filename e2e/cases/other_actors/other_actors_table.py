"""The table: who writes beside the operator, what, how often; and what is wanted of children, conditions and Events.

A row is a pool in a namespace of its own. All rows run beside each other, on one control plane with one operator.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from examples_pool import Pool, small
from other_actors_admission import REGISTRY, Webhook, name_of
from other_actors_stage import Act, Actor, Hand, Object, engine_of, events_of


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
    writes: int = 6
    """Of the operator, in the second minute, at the most."""
    children: Callable[[Pool], None] = lambda _: None
    """Asserts what became of the children."""


def sets_the_image(hand: Hand) -> None:
    """An image updater, of every Deployment of the pool."""
    for live in hand.api.items(hand.path("Deployment", "").rstrip("/")):
        (container,) = live["spec"]["template"]["spec"]["containers"]
        if container["image"] != "other":
            path = hand.path("Deployment", live["metadata"]["name"])
            patch = {"spec": {"template": {"spec": {"containers": [{"name": container["name"], "image": "other"}]}}}}
            hand.api.patch(f"{path}?fieldManager=image-updater", patch)
            hand.acted += 1


def scales(hand: Hand) -> None:
    """An autoscaler, by the subresource."""
    path = f"{hand.path('Deployment', hand.engine)}/scale"
    if hand.api.get(path)["spec"]["replicas"] != 2:
        hand.merge(path, {"spec": {"replicas": 2}}, "autoscaler")


def deletes_the_service(hand: Hand) -> None:
    """A cleaner."""
    if hand.api.find(hand.path("Service", hand.engine)):
        hand.api.delete(hand.path("Service", hand.engine))
        hand.acted += 1


def narrows_the_selector(hand: Hand) -> None:
    """Somebody with a mesh of his own."""
    path = hand.path("Service", hand.engine)
    if "version" not in hand.api.get(path)["spec"]["selector"]:
        hand.merge(path, {"spec": {"selector": {"version": "canary"}}}, "mesh")


def takes_the_label(hand: Hand) -> None:
    """A labeller."""
    path, label = hand.path("Deployment", hand.engine), "app.kubernetes.io/managed-by"
    if hand.api.get(path)["metadata"]["labels"].get(label) == "modelpool-operator":
        hand.merge(path, {"metadata": {"labels": {label: "labeller"}}}, "labeller")


def takes_the_owner(hand: Hand) -> None:
    """Who would have the child outlive its pool."""
    path = hand.path("Deployment", hand.engine)
    if hand.api.get(path)["metadata"].get("ownerReferences"):
        hand.merge(path, {"metadata": {"ownerReferences": None}}, "keeper")


def restores_an_older_one(hand: Hand) -> None:
    """Who keeps a child as it was exported once, with the operator's own annotations."""
    path, seal = hand.path("Service", hand.engine), "modelpool.dev/applied"
    if hand.api.get(path)["metadata"]["annotations"].get(seal) != "exported":
        hand.merge(path, {"metadata": {"annotations": {seal: "exported"}}}, "argocd-controller")


def sets_the_spec(hand: Hand) -> None:
    """Two who deploy one pool, each its own."""
    spec = hand.pool.get()["spec"]
    spec["models"][0]["maxConcurrency"] = 3 + hand.turn % 2
    hand.merge(hand.pool.path, {"spec": spec}, ("argocd", "flux")[hand.turn % 2])


def wipes_the_status(hand: Hand) -> None:
    """A backup that restores what it knows."""
    hand.merge(f"{hand.pool.path}/status", {"status": None}, "restore")


def touches_the_pool(hand: Hand) -> None:
    """Whoever keeps notes on it."""
    hand.merge(hand.pool.path, {"metadata": {"annotations": {"example.com/turn": str(hand.turn)}}}, "notes")


def edits_by_hand(hand: Hand) -> None:
    """Somebody who adds what the operator does not have, once."""
    limits = {"memory": "1Gi"}
    pod = {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "vllm", "resources": {"limits": limits}}]}
    path = hand.path("Deployment", hand.engine)
    hand.api.patch(f"{path}?fieldManager=carol", {"spec": {"paused": True, "template": {"spec": pod}}})
    hand.merge(hand.path("Service", hand.engine), {"spec": {"selector": {"version": "canary"}}}, "carol")


def as_before_the_edit(pool: Pool) -> None:
    """Assert that nothing of it is left."""
    found = {one["kind"]: one for one in pool.children(("Deployment", "Service"))}
    spec = found["Deployment"]["spec"]
    assert "paused" not in spec
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
        children=no_deployment_and_all_else,
    )


ROWS: Final[dict[str, Row]] = {
    "image": fight(sets_the_image, "'image-updater' changes", "/image; put back", events=1),
    "images": fight(sets_the_image, "'image-updater'", "put back", events=3, models=3),
    "replicas": fight(scales, "'autoscaler' changes /spec/replicas; put back", events=1),
    "service": fight(deletes_the_service, "Service {engine}: somebody deletes it"),
    "selector": fight(narrows_the_selector, "'mesh' changes /spec/selector/version; put back", events=1),
    "label": fight(takes_the_label, "takes its labels away"),
    "owner": fight(takes_the_owner, "/metadata/ownerReferences", events=1),
    "export": fight(restores_an_older_one, "Service {engine}: somebody changes it back each time; put back"),
    "spec": fight(sets_the_spec, "the ModelPool wanted it changed"),
    "status": Row(actor=Actor(what=wipes_the_status), condition=("", "")),
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


def unwanted_events(pool: Pool, row: Row) -> list[tuple[str, str]]:
    """Return the Events that a row does not allow."""
    left = dict(row.events)
    found = []
    for reason, message in events_of(pool):
        left[reason] = left.get(reason, 0) - 1
        if left[reason] < 0:
            found.append((reason, message))
    return found
