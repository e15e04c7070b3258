"""The wheel is compiled where that is asked for and nowhere else, and a build leaves nothing in the checkout."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODULE = "modelpool_sidecar/http/head_cache"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the image's build sees of the repository, with one module to compile."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("LICENSE", "README.md", "tools", "sidecar"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    project = (ROOT / "pyproject.toml").read_text()
    for key, value in (('packages = \\["dialects"', '["http"'), ("interpreted = \\[", '["http.[!h]*", "http.headers"')):
        project, found = re.subn(rf"(?m)^{key}[^\]]*\]", f"{key.partition(' ')[0]} = {value}]", project)
        assert found == 1
    (folder / "pyproject.toml").write_text(project)
    return folder


def built(checkout: Path, *, compiled: bool) -> tuple[str, set[str]]:
    """Build the wheel; return its name, and what it holds, extension modules without their ending."""
    before = {path for path in checkout.rglob("*") if "__pycache__" not in path.parts}
    place = checkout.parent / "wheel"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)],
        cwd=checkout, env={**os.environ, "HATCH_BUILD_HOOK_ENABLE_CUSTOM": str(int(compiled))}, timeout=110, check=True,
    )  # fmt: skip
    assert {path for path in checkout.rglob("*") if "__pycache__" not in path.parts} == before
    (wheel,) = place.iterdir()
    names = zipfile.ZipFile(wheel).namelist()
    return wheel.name, {re.sub(r"\.[\w-]+\.so$", ".so", name) for name in names}


def test_the_compiled_wheel_holds_both_and_says_for_which_python(checkout: Path) -> None:
    missing = ", ".join(runpy.run_path(str(ROOT / "tools" / "compiling.py"))["lacking"]())
    if missing and not os.environ.get("CI"):
        pytest.skip(f"the gateway cannot be compiled without {missing}")
    name, files = built(checkout, compiled=True)

    assert f"-cp{sys.version_info.major}{sys.version_info.minor}-" in name
    assert {f"{MODULE}.py", f"{MODULE}.so", "modelpool_sidecar__mypyc.so"} <= files
    assert not [file for file in files if "/tests/" in file]


def test_the_wheel_is_of_sources_where_nothing_is_asked(checkout: Path) -> None:
    name, files = built(checkout, compiled=False)

    assert name.endswith("-py3-none-any.whl")
    assert f"{MODULE}.py" in files
    assert not [file for file in files if file.endswith(".so")]
