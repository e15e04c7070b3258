"""Every child of every example, as files under `tests/golden/`, so that a review sees what a change does to a cluster.

`UPDATE_GOLDEN=1 python -m pytest operator/modelpool_operator/tests/planning/test_golden.py` writes them anew.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelpool_operator.api.parsing import from_body
from modelpool_operator.planning import scripts
from modelpool_operator.planning.manifests.children import children_of
from modelpool_operator.planning.observation.installation import Installation
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import CREATED

EXAMPLES = sorted((Path(__file__).parents[4] / "examples").glob("*.yaml"))
GOLDEN = Path(__file__).parents[1] / "golden"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"
INSTALLATION = Installation(gateways="modelpool-system", key_mark="0a1b2c3d")
"""As the chart has it."""
SCRIPT_STANDS_FOR = "(planning/scripts/start_engine.py)"


class Readable(yaml.SafeDumper):
    """Texts of several lines as blocks, and everything where it belongs, however often it is there."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Readable.add_representer(str, _text)


def rendered(path: Path) -> str | None:
    """Return the children of an example as YAML, or None when the example is refused."""
    body: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    metadata = {"namespace": "llm", "uid": "00000000-0000-4000-8000-000000000000", "generation": 1}
    body["metadata"] |= {**metadata, "creationTimestamp": CREATED}
    pool = from_body(body)
    placement = place_pool(pool, Observed())
    if not isinstance(placement, Placement):
        return None
    children = children_of(pool, placement, "00000000-0000-4000-8000-000000000001", installation=INSTALLATION)
    for child in children:
        if "start_engine.py" in child.get("data", {}):
            assert child["data"]["start_engine.py"] == scripts.START_ENGINE
            child["data"]["start_engine.py"] = SCRIPT_STANDS_FOR
    return yaml.dump_all(children, Dumper=Readable, sort_keys=False, width=120)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_children_of_an_example_are_the_recorded_ones(path: Path) -> None:
    found, golden = rendered(path), GOLDEN / path.name
    if found is None:
        assert not golden.exists(), "the example is refused and must have no children"
        return
    if UPDATE:
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


def test_every_recording_has_its_example() -> None:
    assert {path.name for path in GOLDEN.glob("*.yaml")} <= {path.name for path in EXAMPLES}
    assert any(GOLDEN.glob("*.yaml"))
