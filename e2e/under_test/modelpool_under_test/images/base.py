"""The base image without a registry: Debian's smallest system with python3, made by debootstrap, one layer.

The builder's image is a second such system, with a C compiler and Python's headers, and a layer above it: pip, the
wheels that the locks name, and the order to look nowhere else. So the build needs no network, and the final images hold
neither pip nor a compiler.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pip

from modelpool_cluster.binaries.cache import Cache, Provenance
from modelpool_cluster.controlplane.supervise import die_with
from modelpool_cluster.node import archive
from modelpool_cluster.node.prerequisites import PATH

from . import isolation

SUITE = "bookworm"
PYTHON = "3.11"
"""The suite's python3."""
PACKAGES = ("python3", "ca-certificates")
COMPILING = (*PACKAGES, "gcc", "libc6-dev", "libpython3-dev")
"""The builder's: what `tools/compiling.py` needs besides."""
BASE = "localhost/modelpool/base:latest"
BUILDER = "localhost/modelpool/builder:latest"
_LEFT_OUT = (
    "dev/", "proc/", "run/", "sys/", "tmp/", "usr/share/doc/", "usr/share/info/", "usr/share/locale/",
    "usr/share/man/", "var/cache/apt/", "var/lib/apt/lists/", "var/log/", "usr/lib/python3.11/test/",
)  # fmt: skip
_ALSO_LEFT_OUT = re.compile(
    r"usr/bin/.*-lto-dump-\d+|usr/lib/gcc/.*/lto1|usr/lib/.*/lib(?:[alt]san|hwasan|ubsan|python3\.11(?:-pic)?)\.(?:a|so[\d.]*)"
)
"""Of the builder's system: a third of it, and nothing is linked with it."""
_CONFIG = {"Env": [f"PATH={PATH}"], "Cmd": ["python3"]}
_PIP_CONF = "[global]\nno-index = true\nfind-links = /wheels\n"


class BaseUnavailableError(Exception):
    """debootstrap could not make the system; the message carries its last lines."""


def _kept(name: str) -> bool:
    return not any(name.startswith(folder) and name != folder.rstrip("/") for folder in _LEFT_OUT)


def _kept_to_compile(name: str) -> bool:
    return _kept(name) and not _ALSO_LEFT_OUT.fullmatch(name)


def layer(store: Path, log: Callable[[str], None]) -> archive.Layer:
    """Return the layer of the base, made on first use: about two minutes. Raises BaseUnavailableError."""
    inputs = repr((SUITE, PACKAGES, _LEFT_OUT, "without the folders above"))
    return _system(store, inputs, PACKAGES, _kept, log)


def compiling_layer(store: Path, log: Callable[[str], None]) -> archive.Layer:
    """Return the layer of the builder's system, made on first use: some minutes. Raises BaseUnavailableError."""
    inputs = repr((SUITE, COMPILING, _LEFT_OUT, _ALSO_LEFT_OUT.pattern))
    return _system(store, inputs, COMPILING, _kept_to_compile, log)


def _system(
    store: Path, inputs: str, packages: tuple[str, ...], kept: Callable[[str], bool], log: Callable[[str], None]
) -> archive.Layer:
    cache = Cache(store / "base" / hashlib.sha256(inputs.encode()).hexdigest()[:12])
    with cache.locked(log):
        if (found := cache.find("layer.tar")) is None:
            log(f"Making an image's system: Debian {SUITE} with {', '.join(packages)}")
            with cache.staging() as staged:
                _debootstrap(staged / "root", packages)
                tarball = archive.write_layer(staged / "layer.tar", {"": staged / "root"}, kept).path
                found = cache.adopt(tarball, "layer.tar", Provenance(version=SUITE, origin="debootstrap", seconds=0))
    return archive.Layer(found)


def _debootstrap(root: Path, packages: tuple[str, ...]) -> None:
    include = f"--include={','.join(packages)}"
    command = [*isolation.ALONE, "debootstrap", "--variant=minbase", include, SUITE, str(root)]
    done = subprocess.run(
        command, env={"PATH": PATH}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        preexec_fn=die_with(os.getpid()),
    )  # fmt: skip
    if done.returncode != 0:
        last = "\n".join(done.stdout.splitlines()[-15:])
        raise BaseUnavailableError(f"debootstrap ended with {done.returncode}:\n{last}")


def write_base(target: Path, system: archive.Layer) -> None:
    """Write the base image's archive."""
    archive.write_image(target, BASE, [system], _CONFIG)


def write_builder(target: Path, system: archive.Layer, wheels: Path, scratch: Path) -> None:
    """Write the builder image's archive: a system that compiles, this machine's pip, and wheels."""
    (scratch / "pip.conf").write_text(_PIP_CONF)
    tools = {
        "etc/pip.conf": scratch / "pip.conf",
        "usr/lib/python3/dist-packages/pip": Path(pip.__file__).parent,
        "wheels": wheels,
    }
    second = archive.write_layer(scratch / "tools.tar", tools, lambda name: "__pycache__" not in name)
    archive.write_image(target, BUILDER, [system, second], _CONFIG)
