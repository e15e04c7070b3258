"""The built images keep what is promised of them: small, quick to start, nobody's root, nothing to build with."""

import subprocess
from pathlib import Path

import pytest

from modelpool_cluster.node.prerequisites import PATH
from modelpool_cluster.settings import current
from modelpool_under_test.compiled import compiled_modules
from modelpool_under_test.images import Images, contents, report, starting


def test_the_images_keep_their_promises(node_images: Images) -> None:
    assert starting.possible(), "a real node runs, so containers do"
    found = report.examine(node_images, current().scratch)
    print("\n".join(found.lines()))
    assert found.start is not None
    assert found.problems == ()


def test_a_container_that_cannot_start_says_why(node_images: Images) -> None:
    with pytest.raises(starting.NotReadyError, match="the gateway's container said: "):
        starting.start(node_images.archive("operator"), current().scratch)


def test_the_images_gateway_is_compiled(node_images: Images, tmp_path: Path) -> None:
    contents.unpack(node_images.archive("sidecar"), tmp_path)
    names = compiled_modules()
    asked = f"import importlib\nfor name in {names!r}: print(importlib.import_module(name).__file__)"
    python = ["chroot", str(tmp_path), "/opt/venv/bin/python3", "-c", asked]

    told = subprocess.run(
        python, env={"PATH": PATH}, capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()

    assert len(told) == len(names) > 0
    assert [file for file in told if not file.endswith(".so")] == []
