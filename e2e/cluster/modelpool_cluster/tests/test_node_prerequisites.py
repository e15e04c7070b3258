"""What is missing is named, and what of a run is left is found."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from modelpool_cluster.node import prerequisites, traces


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == "runc" else f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("platform.system", lambda: "Linux")

    found = list(prerequisites.missing())

    assert any("runc" in one and "node-requirements.sh" in one for one in found), found
    assert "root" in found
    with pytest.raises(prerequisites.MissingPrerequisitesError, match=r"a real node needs .*runc.*; root"):
        prerequisites.check()


def test_another_system_lacks_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")

    assert list(prerequisites.missing()) == ["Linux (this is Darwin)"]


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="there is no /proc")
def test_what_is_left_of_a_run_is_found(tmp_path: Path) -> None:
    mark = traces.Mark(folder=tmp_path / "run", cgroup="modelpool-node-0-none", network="net:[1]")
    assert not traces.look(mark)

    mark.folder.mkdir()
    with subprocess.Popen(["sh", "-c", "read line", str(mark.folder)], stdin=subprocess.PIPE) as reader:
        found = traces.look(mark)
        reader.kill()

    assert found
    assert found.files == (str(mark.folder),)
    assert any(process.startswith(f"{reader.pid} ") for process in found.processes), found
    assert not found.mounts
    assert not found.cgroups
