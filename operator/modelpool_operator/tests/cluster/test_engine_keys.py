"""The release key is read or made once, and a pool's Secret is made and never overwritten."""

import base64
from typing import Any, cast

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import engine_keys, errors
from modelpool_operator.cluster.client import Client
from modelpool_operator.tests.cluster.api_server import ApiServer

SECRETS = "/api/v1/namespaces/system/secrets"
REF = ObjectRef("system", "release-key")


def data(key: bytes) -> dict[str, str]:
    return {"key": base64.b64encode(key).decode()}


async def test_a_key_that_is_there_is_taken_as_the_gateway_reads_its_file(server: ApiServer, client: Client) -> None:
    server.put(
        SECRETS, kind="Secret", metadata={"name": REF.name, "namespace": "system"}, data=data(b" 0123456789abcdef\n")
    )
    assert await engine_keys.release_key(client, REF) == b"0123456789abcdef"
    assert server.writes == []


async def test_a_key_that_is_not_there_is_made(server: ApiServer, client: Client) -> None:
    found = await engine_keys.release_key(client, REF)
    (made,) = (one for one in server.requests if one.verb == "POST")
    assert base64.b64decode(made.body["data"]["key"]) == found
    assert len(found) == 64
    assert (made.path, made.body["metadata"]["name"]) == (SECRETS, REF.name)


class Slower:
    """A client of an API server on which somebody else makes the Secret in between."""

    def __init__(self, theirs: bytes) -> None:
        self._theirs: bytes | None = theirs
        self._there = False

    async def get(self, *_: object) -> dict[str, Any]:
        if not self._there:
            raise errors.AbsentError("not yet")
        return {"metadata": {"name": REF.name}, "data": data(self._theirs or b"")}

    async def create(self, *_: object) -> None:
        self._there = True
        raise errors.ConflictError("already exists")


async def test_who_was_slower_takes_what_the_other_has_made() -> None:
    theirs = b"the key of the other one"
    assert await engine_keys.release_key(cast("Client", Slower(theirs)), REF) == theirs


@pytest.mark.parametrize("content", [None, b"short", b"   \n"])
async def test_what_is_no_key_is_not_taken_for_one(server: ApiServer, client: Client, content: bytes | None) -> None:
    held = {} if content is None else {"data": data(content)}
    server.put(SECRETS, kind="Secret", metadata={"name": REF.name, "namespace": "system"}, **held)
    with pytest.raises(errors.RejectedError, match="must have a `key` of at least 16 characters"):
        await engine_keys.release_key(client, REF)


@pytest.mark.parametrize("status", [201, 409])
async def test_a_pools_secret_is_made_or_is_there(server: ApiServer, client: Client, status: int) -> None:
    if status == 409:
        server.refuse("POST", SECRETS, 409)
    await engine_keys.make(client, {"kind": "Secret", "metadata": {"name": "a", "namespace": "system"}})
    assert server.writes == [("POST", SECRETS)]


async def test_a_right_that_is_missing_is_said(server: ApiServer, client: Client) -> None:
    server.refuse("POST", SECRETS, 403)
    with pytest.raises(errors.DeniedError):
        await engine_keys.make(client, {"kind": "Secret", "metadata": {"name": "a", "namespace": "system"}})
