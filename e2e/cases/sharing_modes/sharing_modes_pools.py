"""One pool for each way of sharing, and what of its children the way of sharing decides."""

from pathlib import Path
from typing import Any, Final

import yaml

from modelpool_operator.api.parsing import from_body
from modelpool_operator.planning.manifests.children import children_of
from modelpool_operator.planning.objects.identity import Manifest, sealed
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement

FOLDER: Final = Path(__file__).parent
POOLS: Final = sorted((FOLDER / "pools").glob("*.yaml"))
UID: Final = "00000000-0000-4000-8000-000000000000"

_DEPENDS: Final = ("affinity", "nodeSelector", "resourceClaims", "runtimeClassName")
"""Fields of a pod that depend on the way of sharing."""


def children(path: Path, namespace: str = "llm") -> tuple[Manifest, ...]:
    """Return the children of a pool as the operator would apply them."""
    body: dict[str, Any] = yaml.safe_load(path.read_text())
    body["metadata"] |= {"namespace": namespace, "uid": UID}
    pool = from_body(body)
    placement = place_pool(pool, Observed())
    assert isinstance(placement, Placement), placement
    return tuple(sealed(child) for child in children_of(pool, placement, None))


def decided(path: Path) -> dict[str, Any]:
    """Return what the way of sharing decides of the pool's pods, by name, and its claims."""
    found: dict[str, Any] = {}
    for child in children(path):
        if child["kind"] == "ResourceClaim":
            found[f"ResourceClaim {child['metadata']['name']}"] = child["spec"]
        if child["kind"] == "Deployment":
            found[f"Pod of {child['metadata']['name']}"] = _pod(child["spec"]["template"])
    return found


def _pod(template: dict[str, Any]) -> dict[str, Any]:
    container, *beside = template["spec"]["containers"]
    annotations = template["metadata"]["annotations"]
    return {
        "annotations": {key: value for key, value in annotations.items() if not key.endswith("-hash")},
        **_container(container),
        **{f"beside: {one['name']}": _container(one) for one in beside},
        **{key: template["spec"][key] for key in _DEPENDS if key in template["spec"]},
    }


def _container(container: dict[str, Any]) -> dict[str, Any]:
    return {
        "command": " ".join([*container["command"], *container.get("args", ())]),
        "env": {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]},
        "resources": container.get("resources", {}),
    }
