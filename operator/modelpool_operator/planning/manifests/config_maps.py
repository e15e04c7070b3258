"""ConfigMaps: the script that starts engines, and the routes document that the gateway reads."""

import json

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning import scripts
from modelpool_operator.planning.engines.start_pod import SCRIPT_NAME
from modelpool_operator.planning.manifests import routes
from modelpool_operator.planning.objects.identity import Manifest, metadata
from modelpool_operator.planning.sharing.shares import Placement


def scripts_config_map(pool: ModelPool) -> Manifest:
    """Return the ConfigMap that engines' pods mount. A running engine has read it; a change restarts nothing."""
    return _config_map(pool, names.scripts_name(pool.ref.name), {SCRIPT_NAME: scripts.START_ENGINE}, {})


def routes_config_map(pool: ModelPool, placement: Placement, *, keyed: bool = False) -> Manifest:
    """Return the ConfigMap with the pool's routes document. `keyed`: engines ask for the pool's key."""
    told = routes.routes_document(pool, placement, routes.in_cluster(pool, placement, keyed=keyed))
    document = json.dumps(told, indent=2, ensure_ascii=False)
    labels = {names.ROUTES_LABEL: "true"}
    return _config_map(pool, names.routes_name(pool.ref.name), {names.ROUTES_KEY: document + "\n"}, labels)


def _config_map(pool: ModelPool, name: str, data: dict[str, str], labels: dict[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(pool, name, labels), "data": data}
