"""The images by what they are made of: each lock holds all that its program imports, and the context all that is built.

Nothing is built here. What a lock lacks would otherwise show when a container starts.
"""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import grimp
import pytest
from chart_helm import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IMAGES = {"operator": "modelpool_operator", "sidecar": "modelpool_sidecar", "engines": "modelpool_simulators"}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked(image: str) -> set[str]:
    text = (ROOT / "requirements" / f"{image}.lock").read_text()
    return {_normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


def _imported(package: str) -> set[str]:
    """Return the distributions that a package imports, its tests left out."""
    graph = grimp.build_graph(package, include_external_packages=True, cache_dir=None)
    ours = {module for module in graph.modules if f"{module}.".startswith(f"{package}.")}
    programs = {module for module in ours if not module.startswith(f"{package}.tests")}
    found = {imported for module in programs for imported in graph.find_modules_directly_imported_by(module)} - ours
    distributions = metadata.packages_distributions()
    return {_normal(distributions[top][0]) for name in found if (top := name.partition(".")[0]) in distributions}


@pytest.mark.parametrize(("image", "package"), IMAGES.items(), ids=IMAGES.keys())
def test_an_image_s_lock_holds_what_its_program_imports(image: str, package: str) -> None:
    imported = _imported(package) - {"modelpool"}
    assert imported, "nothing was found, which cannot be"
    assert imported - _locked(image) == set()


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_a_target_that_installs_by_hash(image: str) -> None:
    assert f" AS {image}\n" in DOCKERFILE
    assert f"--require-hashes -r requirements/{image}.lock" in DOCKERFILE
    assert "--hash=sha256:" in (ROOT / "requirements" / f"{image}.lock").read_text()


def test_the_build_has_its_own_lock() -> None:
    wanted = {_normal(re.split(r"[<>=~]", need)[0]) for need in PROJECT["build-system"]["requires"]}
    assert wanted <= _locked("build")


def test_the_commands_of_the_dockerfile_are_the_project_s() -> None:
    scripts = set(PROJECT["project"]["scripts"])
    named = set(re.findall(r"modelpool-(?:operator|sidecar|fake-vllm|fake-ollama)", DOCKERFILE))
    assert named == {"modelpool-operator", "modelpool-sidecar", "modelpool-fake-vllm", "modelpool-fake-ollama"}
    assert named <= scripts


def test_the_build_context_holds_what_the_wheel_is_made_of() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [one for one in packages if not kept & {str(path) for path in Path(one).parents}] == []
    assert {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "pyproject.toml"} <= kept
