"""What a pod asks for under each way of sharing, as files, and whether a real API server takes all of it.

`UPDATE_GOLDEN=1 python -m pytest e2e/cases/sharing_modes/test_sharing_golden.py` writes the files anew.
"""

import os
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from sharing_modes_pools import FOLDER, POOLS, children, decided

from modelpool_cluster.cluster import Cluster
from modelpool_operator.api.pool import Sharing
from modelpool_operator.cluster import kinds

GOLDEN: Final = FOLDER / "golden"
UPDATE: Final = os.environ.get("UPDATE_GOLDEN") == "1"
APPLY: Final = "application/apply-patch+yaml"

every_mode = pytest.mark.parametrize("path", POOLS, ids=lambda path: path.stem)


def dumped(found: dict[str, Any]) -> str:
    return yaml.safe_dump(found, sort_keys=True, width=110)


def test_every_way_of_sharing_has_its_pool() -> None:
    assert {path.stem for path in POOLS} == {sharing.value for sharing in Sharing} - {"auto"}
    assert {path.name for path in GOLDEN.glob("*.yaml")} == {path.name for path in POOLS}


@every_mode
def test_a_pod_asks_for_what_the_golden_file_says(path: Path) -> None:
    found, golden = dumped(decided(path)), GOLDEN / path.name
    if UPDATE:
        golden.write_text(found)
    assert found == golden.read_text()


@every_mode
def test_the_api_server_takes_every_child_and_knows_every_field(cluster: Cluster, namespace: str, path: Path) -> None:
    for child in children(path, namespace):
        where = kinds.child(child["apiVersion"], child["kind"]).path(namespace, child["metadata"]["name"])
        query = "fieldManager=test&fieldValidation=Strict&dryRun=All"
        stored = cluster.api.patch(f"{where}?{query}", child, APPLY)
        assert stored["kind"] == child["kind"]
