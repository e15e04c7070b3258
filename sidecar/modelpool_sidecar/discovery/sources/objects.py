"""Kubernetes objects as decoded JSON, and a store of those that one list-and-watch has seen. Pure.

Whoever may write in a namespace decides what most fields hold: nothing here counts on a field being there, or being of
its kind. An object that cannot even be named is left out.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

ROUTES_SELECTOR: Final = "modelpool.dev/routes=true"
SERVICE_LABEL: Final = "kubernetes.io/service-name"

KubeObject = Mapping[str, Any]


class ObjectKey(NamedTuple):
    """Identity of an object within its kind."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


Objects = Mapping[ObjectKey, KubeObject]


class ExpiredError(Exception):
    """The API server no longer knows our resourceVersion: list again."""


class ApiRefusedError(Exception):
    """The API server answered a list or a watch with an error, or with something that is none of its answers."""


class Trouble(NamedTuple):
    """What is wrong with one object, which is left out because of it or keeps its last good content."""

    subject: str
    """Kind, namespace and name."""
    problem: str


class ObjectStore:
    """The objects of one kind, as far as the list and the events since have told."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, KubeObject] = {}
        self.resource_version = ""

    def replace(self, listed: object) -> None:
        """Take over a whole list; what it does not hold is gone. Raises ApiRefusedError when it is no list."""
        version = _version(listed)
        if version is None:
            raise ApiRefusedError(f"a list without resourceVersion: {str(listed)[:256]}")
        items = [(_key(item), item) for item in rows(field(listed, "items"))]
        self.objects = {key: item for key, item in items if key is not None}
        self.resource_version = version

    def apply(self, event: object) -> bool:
        """Take over one watch event; True when it may change the routes.

        Raises:
            ExpiredError: the server has forgotten where the watch began.
            ApiRefusedError: the server ends the watch.
        """
        kind, item = field(event, "type"), field(event, "object")
        if kind == "ERROR":
            message = str(field(item, "message") or item)[:256]
            if field(item, "code") == 410:
                raise ExpiredError(message)
            raise ApiRefusedError(f"watch failed: {message}")
        key, version = _key(item), _version(item)
        changed = False
        if kind == "DELETED" and key is not None:
            changed = self.objects.pop(key, None) is not None
        elif kind in ("ADDED", "MODIFIED") and key is not None:
            self.objects[key] = item
            changed = True
        self.resource_version = version or self.resource_version
        return changed


def merged(stores: Iterable[ObjectStore]) -> Objects:
    """The objects of several namespaces as one."""
    return {key: item for store in stores for key, item in store.objects.items()}


def field(value: object, *path: str) -> Any:
    """Return what stands at a path of fields; None where there is nothing."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def rows(value: object) -> list[Any]:
    """Return a list as it is, and anything else as an empty one."""
    return value if isinstance(value, list) else []


def _key(item: object) -> ObjectKey | None:
    namespace, name = field(item, "metadata", "namespace"), field(item, "metadata", "name")
    return ObjectKey(namespace, name) if isinstance(namespace, str) and isinstance(name, str) else None


def _version(item: object) -> str | None:
    version = field(item, "metadata", "resourceVersion")
    return version if isinstance(version, str) and version else None
