"""What somebody with the role `edit` in one namespace may try, each as a change of the cluster.

A way either is refused by the API server, or changes nothing for the other pool.
"""

import base64
import json
from collections.abc import Callable
from typing import Final

from tenants_stage import ALIAS, MODEL, Object, Stage

from modelpool_under_test.processes import route_documents

Way = Callable[[Stage], None]

DEEP: Final = 20_000
HOSTS: Final = (
    "a..b",
    "x" * 64,
    "thief.",
    "127.0.0.1",
    "169.254.169.254",
    "thief.other-namespace",
    "a b",
    "ä",
    "a/b",
    "",
)
PORTS: Final = (0, -1, 65_536, 10**20, 1.5, "8000", None)
CREATED: Final = (
    *("1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
    *("2020-01-01T00:00:00", "yesterday", "", 0, None),
)
HOSTILE: Final = (
    *("", "{", "null", "[]", "0", '"x"', "[" * DEEP, '{"version":1,"more":' + "[" * DEEP + "]" * DEEP + "}"),
    *('{"version":1e999}', '{"version":1}', '{"version":1,"pool":{}}', "\x00", "\ufffd" * 1000, "x" * 900_000),
)


def _own(stage: Stage, content: dict[str, str]) -> None:
    """Write the ConfigMap of the tenant's own pool, as the operator would: what he may, in effect, write as a pool."""
    stage.write(stage.own(), content)


def _documents(stage: Stage, **changes: object) -> dict[str, str]:
    """Return the claim with other fields in its document."""
    return {"routes.json": json.dumps({**json.loads(stage.content()["routes.json"]), **changes})}


def _models(stage: Stage, **changes: object) -> dict[str, str]:
    """Return the claim with other fields in its models."""
    return _documents(stage, models=[{"name": MODEL, "aliases": [ALIAS], "backends": [stage.backend()], **changes}])


def _patched(stage: Stage, path: str, body: Object) -> None:
    stage.tenant.patch(path, body, "application/merge-patch+json")


def _victims(stage: Stage, **more: object) -> Object:
    """Return the reference to the other's pool."""
    return {**route_documents.owner_of(stage.victim), **more}


def _another(stage: Stage) -> None:
    """Make a pool of the other's very name in the tenant's namespace, with its ConfigMap."""
    path = route_documents.pools(stage.mine)
    name = route_documents.NAME
    pool = stage.tenant.find(f"{path}/{name}") or stage.tenant.create(path, route_documents.manifest())
    stage.write(route_documents.owner_of(pool), stage.content(name=name), route_documents.MAP)


WAYS: Final[dict[str, Way]] = {
    # Without a pool of his.
    "a plain ConfigMap with a URL": lambda stage: stage.write(None, stage.content(stage.by_url()), "plain"),
    "a plain ConfigMap with a Service": lambda stage: stage.write(None, stage.content(), "plain"),
    "called as an operator would": lambda stage: stage.write(None, stage.content(name="x"), "x-routes"),
    "in the other's name": lambda stage: stage.write(
        None, stage.content(stage.by_url(), name=route_documents.NAME, namespace=stage.theirs), route_documents.MAP
    ),
    "a made-up pool": lambda stage: stage.write(stage.own(name="x", uid="1-2-3"), stage.content(name="x"), "x-routes"),
    "the other's pool as its owner": lambda stage: stage.write(
        _victims(stage), stage.content(name=route_documents.NAME, namespace=stage.theirs), route_documents.MAP
    ),
    "the other's pool, and the tenant's namespace": lambda stage: stage.write(
        _victims(stage), stage.content(name=route_documents.NAME), route_documents.MAP
    ),
    # With his own, but not as the operator does it.
    "the other's UID below his pool's name": lambda stage: stage.write(
        stage.own(uid=stage.victim["metadata"]["uid"]), stage.content()
    ),
    "another kind of owner": lambda stage: stage.write(stage.own(kind="ConfigMap", apiVersion="v1"), stage.content()),
    "another group's ModelPool": lambda stage: stage.write(stage.own(apiVersion="x.dev/v1"), stage.content()),
    "an owner that does not control": lambda stage: stage.write(stage.own(controller=False), stage.content()),
    "a second ConfigMap of his pool": lambda stage: stage.write(stage.own(), stage.content(), "mine-routes-2"),
    "his ConfigMap in the other's name": lambda stage: _own(
        stage, stage.content(name=route_documents.NAME, namespace=stage.theirs)
    ),
    # With his own, as the operator does it.
    "his ConfigMap, and the other's model": lambda stage: _own(stage, stage.content()),
    "with a URL": lambda stage: _own(stage, stage.content(stage.by_url())),
    "with a URL behind a Service": lambda stage: _own(stage, stage.content(stage.backend(), stage.by_url())),
    "with a URL and a Service": lambda stage: _own(stage, stage.content(stage.backend(url=stage.url))),
    "a pool of the other's name": _another,
    "his pool, older by an annotation": lambda stage: _patched(
        stage,
        f"{route_documents.pools(stage.mine)}/mine",
        {"metadata": {"creationTimestamp": "1970-01-01T00:00:00Z", "annotations": {"created": "1970"}}},
    ),
    "his ConfigMap, older by itself": lambda stage: _patched(
        stage, f"{stage.maps}/mine-routes", {"metadata": {"creationTimestamp": "1970-01-01T00:00:00Z"}}
    ),
    # What a document can hold.
    **{
        f"created {created!r}": lambda stage, created=created: _own(stage, stage.content(created=created))  # type: ignore[misc]
        for created in CREATED
    },
    **{
        f"the Service {host[:20]!r}": lambda stage, host=host: _own(stage, stage.content(stage.backend(service=host)))  # type: ignore[misc]
        for host in HOSTS
    },
    **{
        f"port {port!r}": lambda stage, port=port: _own(stage, stage.content(stage.backend(port=port)))  # type: ignore[misc]
        for port in PORTS
    },
    **{
        f"hostile bytes {number}": lambda stage, text=text: _own(stage, {"routes.json": text})  # type: ignore[misc]
        for number, text in enumerate(HOSTILE)
    },
    "bytes that are no text": lambda stage: stage.write(
        stage.own(), {}, binaryData={"routes.json": base64.b64encode(b"\xff\xfe\x00").decode()}
    ),
    "no data at all": lambda stage: stage.write(stage.own(), {}),
    "numbers beyond 64 bits": lambda stage: _own(stage, _models(stage, sizeBytes=10**30, memoryBytes=-1)),
    "a wait beyond all clocks": lambda stage: _own(stage, _documents(stage, queue={"timeoutSeconds": 1e300})),
    "names that break a header": lambda stage: _own(stage, _models(stage, name="a\r\nX-ModelPool-Pool: b")),
    "another spelling of the other's name": lambda stage: _own(
        stage, _models(stage, name=f"library/{MODEL.upper()}", aliases=[f"{ALIAS}:latest", ALIAS.upper()])
    ),
    "ten thousand models": lambda stage: _own(
        stage, _documents(stage, models=[{"name": f"m{one}", "backends": []} for one in range(10_000)])
    ),
    "another version": lambda stage: _own(stage, _documents(stage, version=2)),
}
