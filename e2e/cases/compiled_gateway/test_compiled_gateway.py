"""The gateway's own tests pass on the compiled gateway, too, and it is the compiled one that they ran against.

The tests run in a virtual environment of their own, whose Python finds the compiled modules before those of this
checkout: so the gateways that tests start as programs are compiled, too.
"""

import json
import os
import shutil
import site
import subprocess
import venv
from pathlib import Path

import compiled_imports
import pytest

from modelpool_under_test.compiled import PACKAGE, NoCompilerError, compiled_modules, compiled_tree

ROOT = Path(__file__).parents[3]
_LIMIT_SECONDS = 900


@pytest.fixture(scope="module")
def compiled() -> Path:
    """The folder with the compiled package; a machine that cannot compile skips what needs it, a build server fails."""
    try:
        return compiled_tree(print)
    except NoCompilerError as exc:
        if os.environ.get("CI"):
            pytest.fail(str(exc), pytrace=False)
        pytest.skip(str(exc))


@pytest.fixture
def checkout(compiled: Path, tmp_path: Path) -> Path:
    """A folder like the repository, with the compiled package and its tests in `sidecar`."""
    folder = tmp_path / "checkout"
    shutil.copytree(compiled, folder / "sidecar")
    tests = Path(PACKAGE) / "tests"
    shutil.copytree(ROOT / "sidecar" / tests, folder / "sidecar" / tests)
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name != "sidecar":
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture
def python(checkout: Path, tmp_path: Path) -> Path:
    """A Python that has what this one has, and the compiled package before all else."""
    place = tmp_path / "environment"
    venv.create(place, symlinks=True)
    (packages,) = place.glob("lib/python*/site-packages")
    others = "".join(f"import site; site.addsitedir({folder!r})\n" for folder in site.getsitepackages())
    (packages / "compiled.pth").write_text(f"{checkout / 'sidecar'}\n{others}")
    return place / "bin" / "python"


@pytest.mark.timeout(_LIMIT_SECONDS + 60)
def test_the_gateways_tests_pass_compiled(checkout: Path, python: Path, tmp_path: Path) -> None:
    told = tmp_path / "imported.json"
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-c", "pyproject.toml", "-p", "no:cacheprovider", "--no-cluster",
         "-p", compiled_imports.__name__, f"sidecar/{PACKAGE}/tests"],
        cwd=checkout, env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), compiled_imports.PLACE: str(told)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=_LIMIT_SECONDS,
    )  # fmt: skip
    print(done.stdout[-6000:])

    assert done.returncode == 0
    files = json.loads(told.read_text())
    compiled = {name for name, file in files.items() if file.startswith(str(checkout)) and file.endswith(".so")}
    assert compiled >= set(compiled_modules()), "not compiled, or not from here"


def test_a_program_gets_the_compiled_gateway(checkout: Path, python: Path) -> None:
    name = compiled_modules()[0]
    asked = f"import {name} as module; print(module.__file__)"
    told = subprocess.run([python, "-c", asked], env={}, capture_output=True, text=True, timeout=60, check=True)

    assert told.stdout.startswith(str(checkout / "sidecar"))
    assert told.stdout.endswith(".so\n")
