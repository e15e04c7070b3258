"""The images' cache keeps what is new and does not grow for ever."""

from __future__ import annotations

import json
import os
from pathlib import Path

from modelpool_under_test.images import pruning


def test_the_newest_builds_stay(tmp_path: Path) -> None:
    for age in range(pruning.KEPT + 2):
        (tmp_path / f"build-{age}").mkdir()
        os.utime(tmp_path / f"build-{age}", (1000 - age, 1000 - age))

    pruning.drop_old_builds(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [f"build-{age}" for age in range(pruning.KEPT)]


def test_a_storage_is_emptied_when_it_has_too_many_layers(tmp_path: Path) -> None:
    index = tmp_path / "storage" / "overlay-layers" / "layers.json"
    pruning.empty_when_large(tmp_path / "storage")
    index.parent.mkdir(parents=True)
    index.write_text(json.dumps([{}] * pruning.LAYERS))
    pruning.empty_when_large(tmp_path / "storage")
    assert index.exists()

    index.write_text(json.dumps([{}] * (pruning.LAYERS + 1)))
    pruning.empty_when_large(tmp_path / "storage")

    assert not (tmp_path / "storage").exists()
