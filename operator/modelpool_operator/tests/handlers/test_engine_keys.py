"""The release key over time: who is told that it is not there, and that it is another one."""

import asyncio
import base64

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.handlers import engine_keys
from modelpool_operator.handlers.engine_keys import EngineKeys
from modelpool_operator.handlers.readiness import Readiness
from modelpool_operator.handlers.workqueue import Backoff
from modelpool_operator.planning.manifests.engine_keys import mark_of
from modelpool_operator.telemetry.metrics import Metrics
from modelpool_operator.tests.cluster import api_server

SECRETS = "/api/v1/namespaces/system/secrets"
REF = ObjectRef("system", "release-key")
OLD, NEW = b"0123456789abcdef", b"fedcba9876543210"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_keys, "LOOK_AGAIN", 0.01)
    monkeypatch.setattr(engine_keys, "DEFAULT_BACKOFF", Backoff(first=0.01, longest=0.01))


def put(server: api_server.ApiServer, key: bytes) -> None:
    server.put(SECRETS, metadata={"name": REF.name}, data={"key": base64.b64encode(key).decode()})


async def until(server: api_server.ApiServer, reads: int) -> None:
    """Wait for so many more reads of the Secret."""
    wanted = len(server.requests) + reads
    async with asyncio.timeout(10):
        while len(server.requests) < wanted:
            await asyncio.sleep(0.01)


async def test_a_release_key_that_cannot_be_read_is_told_to_readyz() -> None:
    metrics = Metrics(queue_depth=lambda: 0, pools=lambda: 0)
    async with api_server.running() as server, api_server.client_of(server, metrics) as client:
        server.refuse("GET", f"{SECRETS}/{REF.name}", 403, "secrets is forbidden")
        readiness = Readiness()
        readiness.listed([])
        keys = await EngineKeys.begin(client, REF, readiness)
        assert "secrets is forbidden" in (readiness.problem() or "")
        assert "secrets is forbidden" in (keys.unknown or "")
        woken = asyncio.Event()
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(keys.follow(REF, woken.set, readiness), name="follow")
            await until(server, 2)
            put(server, OLD)
            server.refusals.clear()
            await woken.wait()
            task.cancel()
        assert (keys.mark, keys.unknown) == (mark_of(OLD), None)
        assert readiness.problem() is None


async def test_a_release_key_that_is_edited_is_taken_and_said() -> None:
    metrics = Metrics(queue_depth=lambda: 0, pools=lambda: 0)
    async with api_server.running() as server, api_server.client_of(server, metrics) as client:
        put(server, OLD)
        readiness = Readiness()
        readiness.listed([])
        keys = await EngineKeys.begin(client, REF, readiness)
        changed: list[str | None] = []
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(keys.follow(REF, lambda: changed.append(keys.mark), readiness), name="follow")
            await until(server, 2)
            assert changed == []
            put(server, b"short")
            await until(server, 2)
            assert "at least 16 characters" in (readiness.problem() or "")
            del server.objects[f"{SECRETS}/{REF.name}"]
            await until(server, 3)
            assert (keys.mark, changed) == (mark_of(OLD), [])
            assert readiness.problem() is None
            assert server.objects[f"{SECRETS}/{REF.name}"]["data"] == {"key": base64.b64encode(OLD).decode()}
            put(server, NEW)
            await until(server, 3)
            assert changed == [mark_of(NEW)]
            assert server.writes == [("POST", SECRETS)], "what is lost is made again, and nothing else"
            task.cancel()
