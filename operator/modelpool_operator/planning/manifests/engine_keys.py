"""The key that a pool's engines ask for, so that nobody but the gateway is answered. Pure.

One secret of the installation, the release key, gives each pool its own: operator and gateway compute the same, so
that none has to be handed over, and no document holds one. What an engine or a tenant learns of its pool's key says
nothing about another's. The gateway's `routing/keys.py` computes likewise; both are held to docs/reference/keys.json.
"""

import base64
import hmac
from collections.abc import Iterable, Mapping
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.engines.start_pod import KEY_FIELD
from modelpool_operator.planning.objects.identity import ChildRef, Manifest, metadata
from modelpool_operator.planning.observation.installation import Installation
from modelpool_operator.planning.observation.observed import Observed

UNCONFIGURED: Final = "CreateContainerConfigError"
"""Why a container waits whose Secret is not there."""
_PURPOSE: Final = "modelpool engine key"
_MARK: Final = "modelpool release key"
_MARK_LENGTH: Final = 8
_UNKNOWN: Final = "unknown"
"""In place of the mark of a release key that nobody knows."""


def key_of(release: bytes, namespace: str, name: str, uid: str) -> str:
    """Return the key of one pool: 64 hexadecimal digits. None of the three can hold a line's end."""
    return _digest(release, f"{_PURPOSE}\n{namespace}\n{name}\n{uid}")


def mark_of(release: bytes) -> str:
    """Return by what a release key is told from another one, which says nothing about either."""
    return _digest(release, _MARK)[:_MARK_LENGTH]


def secret_name(pool: ModelPool, mark: str) -> str:
    """Return the name of the Secret with the pool's key.

    Another key has another name, so that pods which ask for it are other pods, and nothing has to be overwritten.
    """
    return names.key_name(pool.ref.name, mark, pool.uid)


def secret_for(pool: ModelPool, installation: Installation) -> str | None:
    """Return the name of the Secret that the pool's engines shall ask for, or None where they have no keys."""
    if installation.key_asked_for is not None:
        return installation.key_asked_for
    return None if installation.key_mark is None else secret_name(pool, installation.key_mark)


def asked_for(pool: ModelPool, children: Iterable[Manifest]) -> str:
    """Return the Secret that the pool's engines ask for, so that they go on with it while nobody knows the release key.

    Where none asks for any, the name is one that no release key has: nothing is started that asks for it.
    """
    engines = [child for child in children if child["kind"] == "Deployment"]
    return next((name for engine in engines for name in _key_secrets(engine) if name), secret_name(pool, _UNKNOWN))


def secret(pool: ModelPool, mark: str, release: bytes) -> Manifest:
    """Return the Secret with the pool's key. It is made once, never changed, and goes with the pool."""
    key = key_of(release, *pool.ref, pool.uid)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(pool, secret_name(pool, mark)),
        "type": "Opaque",
        "immutable": True,
        "data": {KEY_FIELD: base64.b64encode(key.encode()).decode()},
    }


def absent(pool: ModelPool, observed: Observed) -> str | None:
    """Return the name of the Secret that is to be made before the engines, or None.

    The operator may make Secrets and read none, so it goes by what it sees: a Deployment that names the Secret was
    made after it; and a pod that waits for it tells that somebody has deleted it.
    """
    name = secret_for(pool, observed.installation)
    if name is None or not any(PROFILES[model.engine].key_variable for model in pool.spec.models):
        return None
    unknown = observed.installation.key_asked_for is not None  # Whoever is to make it has to say so.
    return name if unknown or _is_waited_for(name, observed) or not _is_asked_for(name, observed) else None


def lost(pool: ModelPool, observed: Observed) -> str | None:
    """Return the name of the Secret that engines wait for which run although the pool is refused, or None."""
    name = secret_for(pool, observed.installation)
    return name if name is not None and _is_waited_for(name, observed) else None


def _is_waited_for(name: str, observed: Observed) -> bool:
    containers = (container for pod in observed.pods for container in pod.containers)
    return any(one.waiting_reason == UNCONFIGURED and name in one.waiting_message for one in containers)


def _is_asked_for(name: str, observed: Observed) -> bool:
    return any(_names_it(live, name) for live in observed.children.values() if live["kind"] == "Deployment")


def waiting_for(name: str, changed: Mapping[ChildRef, Manifest], observed: Observed) -> frozenset[ChildRef]:
    """Return what must stay as it is while the Secret of that name cannot be made.

    An engine that runs without it would go for one that cannot start. Nor are the gateways told of keys that no engine
    asks for, in a document that tells of none. While nobody knows the release key, none is made that would have to be
    made again.
    """
    found = set()
    nameless = observed.installation.key_asked_for == name and not _is_asked_for(name, observed)
    for ref, child in changed.items():
        live = observed.children.get(ref)
        if live is None:
            found |= {ref} if nameless and ref.kind == "Deployment" and _names_it(child, name) else set()
            continue
        if ref.kind == "Deployment" and _names_it(child, name) and not _names_it(live, name):
            found.add(ref)
        if ref.kind == "ConfigMap" and _is_keyed(child) and not _is_keyed(live):
            found.add(ref)
    return frozenset(found)


def _is_keyed(routes_document: Manifest) -> bool:
    text = (routes_document.get("data") or {}).get(names.ROUTES_KEY) or ""
    return '"keyed"' in text


def is_locked_out(live: Manifest, wanted: Manifest) -> bool:
    """Return whether an engine asks for another key than gateways have from now on; one that asks for none does not."""
    before = _key_secrets(live)
    return bool(before) and before != _key_secrets(wanted)


def _key_secrets(deployment: Manifest) -> list[str]:
    """Return the Secret with the key that an engine asks for, as a list of one, or of none."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    variables_of_keys = {profile.key_variable for profile in PROFILES}
    variables = [
        one for container in containers for one in container.get("env") or () if one["name"] in variables_of_keys
    ]
    return [((one.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name") or "" for one in variables]


def _names_it(deployment: Manifest, name: str) -> bool:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    variables = (variable for container in containers for variable in container.get("env") or ())
    found = ((variable.get("valueFrom") or {}).get("secretKeyRef") or {} for variable in variables)
    return any(one.get("name") == name for one in found)


def _digest(release: bytes, message: str) -> str:
    return hmac.new(release, message.encode(), "sha256").hexdigest()
