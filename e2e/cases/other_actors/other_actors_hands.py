"""Those who write beside the operator: each looks, and acts where the world is not as it wants it."""

from other_actors_stage import Hand


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


def restores_the_status(hand: Hand) -> None:
    """A backup that restores what it knows."""
    path = f"{hand.pool.path}/status"
    if hand.api.get(path)["status"].get("readyModels") != "7/7":
        hand.merge(path, {"status": {"readyModels": "7/7", "conditions": []}}, "restore")


def wipes_the_status(hand: Hand) -> None:
    """Who restores a pool that had none."""
    if hand.api.get(hand.pool.path).get("status"):
        hand.merge(f"{hand.pool.path}/status", {"status": None}, "wiper")


def wipes_what_is_held(hand: Hand) -> None:
    """The same, of a pool that is to be deleted."""
    if hand.turn == 1:
        hand.api.delete(hand.pool.path)
    wipes_the_status(hand)


def deletes_the_pods(hand: Hand) -> None:
    """Somebody who drains without end."""
    for pod in hand.pool.pods("vllm"):
        hand.api.delete(f"/api/v1/namespaces/{hand.pool.namespace}/pods/{pod['metadata']['name']}")
        hand.acted += 1


def rolls(hand: Hand) -> None:
    """Who would have no downtime, and gets two engines on one card."""
    path = hand.path("Deployment", hand.engine)
    if hand.api.get(path)["spec"]["strategy"]["type"] != "RollingUpdate":
        hand.merge(path, {"spec": {"strategy": {"type": "RollingUpdate"}}}, "kubectl-patch")


def moves_the_port(hand: Hand) -> None:
    """Who edits the whole of a Deployment."""
    path = hand.path("Deployment", hand.engine)
    live = hand.api.get(path)
    (port,) = live["spec"]["template"]["spec"]["containers"][0]["ports"]
    if port["containerPort"] != 8001:
        port["containerPort"] = 8001
        hand.put(path, live, "kubectl-edit")


def moves_the_service(hand: Hand) -> None:
    """Who edits the whole of a Service."""
    path = hand.path("Service", hand.engine)
    live = hand.api.get(path)
    if live["spec"]["ports"][0]["port"] != 80:
        live["spec"]["ports"][0]["port"] = 80
        hand.put(path, live, "kubectl-edit")


def opens_a_port_of_the_host(hand: Hand) -> None:
    """Who would reach the engine past the gateway."""
    path = hand.path("Deployment", hand.engine)
    (port,) = hand.api.get(path)["spec"]["template"]["spec"]["containers"][0]["ports"]
    if "hostPort" not in port:
        container = {"name": "vllm", "ports": [{"containerPort": port["containerPort"], "hostPort": 8000}]}
        hand.api.patch(f"{path}?fieldManager=carol", {"spec": {"template": {"spec": {"containers": [container]}}}})
        hand.acted += 1


def touches_the_pool(hand: Hand) -> None:
    """Whoever keeps notes on it."""
    hand.merge(hand.pool.path, {"metadata": {"annotations": {"example.com/turn": str(hand.turn)}}}, "notes")


def edits_by_hand(hand: Hand) -> None:
    """Somebody who adds what the operator does not have, once."""
    container = {
        "name": "vllm",
        "resources": {"limits": {"memory": "1Gi"}},
        "ports": [{"containerPort": 8000, "hostPort": 8000}],
    }
    pod = {"nodeSelector": {"disk": "ssd"}, "containers": [container]}
    path = hand.path("Deployment", hand.engine)
    hand.merge(path, {"spec": {"strategy": {"type": "RollingUpdate"}}}, "carol")
    hand.api.patch(f"{path}?fieldManager=carol", {"spec": {"paused": True, "template": {"spec": pod}}})
    hand.merge(hand.path("Service", hand.engine), {"spec": {"selector": {"version": "canary"}}}, "carol")
