"""Which key an engine is sent, and that nothing shows it."""

import json
from pathlib import Path

import pytest

from modelpool_sidecar.routing import documents, table_building
from modelpool_sidecar.routing.documents import Pool
from modelpool_sidecar.routing.keys import Keys, key_of
from modelpool_sidecar.routing.table import Address, service_of
from modelpool_sidecar.tests.routing.worlds import ENGINES

VECTORS: list[dict[str, str]] = json.loads((Path(__file__).parents[4] / "docs" / "reference" / "keys.json").read_text())
RELEASE = b"0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["key"][:8])
def test_the_key_of_a_pool_is_the_operators(row: dict[str, str]) -> None:
    assert key_of(row["release"].encode(), row["namespace"], row["name"], row["uid"]) == row["key"]


def test_no_two_pools_and_no_two_releases_have_one_key() -> None:
    assert len({row["key"] for row in VECTORS}) == len(VECTORS) > 1


def test_without_a_release_key_there_is_no_line() -> None:
    assert Keys().line(Pool(namespace="llm", name="agentic")) == b""
    assert not Keys().known


def test_vllm_engines_that_ask_for_a_key_get_it_and_nobody_else_does() -> None:
    backends = [
        {"engine": "vllm", "model": "a", "url": "http://keyed:1", "keyed": True},
        {"engine": "vllm", "model": "a", "url": "http://open:1"},
        {"engine": "ollama", "model": "a", "url": "http://ollama:1", "keyed": True},
    ]
    told = {
        "version": 1,
        "pool": {"namespace": "llm", "name": "agentic"},
        "models": [{"name": "a", "backends": backends}],
    }
    routes = documents.parse(json.dumps(told), ENGINES)
    places = {
        service_of(routes.pool, one): (Address(url=str(one.url), ready=True),) for one in routes.models[0].backends
    }
    table = table_building.build([routes], places, {}, Keys(RELEASE, frozenset({"vllm"})))
    found = [backend.authorization for backend in table.models[0].backends]
    key = key_of(RELEASE, "llm", "agentic", "")
    assert found == [f"Authorization: Bearer {key}\r\n".encode(), b"", b""]
    assert key not in repr(table)
    assert key not in repr(Keys(RELEASE, frozenset({"vllm"})))
