"""The README's picture and examples are those that the program makes."""

import re
from pathlib import Path

import pytest
import yaml

from modelpool_cli import manifests
from modelpool_cli.plan import picture
from modelpool_cli.plan import report as reports
from modelpool_operator.api import parsing

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["single-gpu-24gb", "two-gpu-12gb"])
def test_the_pictures_are_up_to_date(name: str) -> None:
    """Renew with `modelpool plan examples/NAME.yaml -o svg > docs/images/NAME.svg`."""
    pool = manifests.read_pool(ROOT / "examples" / f"{name}.yaml")
    assert (ROOT / "docs/images" / f"{name}.svg").read_text() == picture.draw(
        reports.report(pool, reports.decide(pool))
    )


def test_the_pool_in_the_readme_fits() -> None:
    block = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    pool = parsing.from_body(yaml.safe_load(block[1]))
    assert reports.report(pool, reports.decide(pool))["verdict"] == "fits"


def test_every_file_the_readme_names_is_there() -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text())
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
