"""Builds the images with what is there: docker, podman or buildah. Called by the command line and by `node.plugin`.

Docker and Podman take the Dockerfile's own base from their registry. buildah is used where there is neither, so without
one: the base is made here, nothing is pulled, and no daemon runs. Its storage is a folder of the cache, and its mounts
are in a namespace that ends with it.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from modelpool_cluster.binaries.cache import Cache
from modelpool_cluster.controlplane.supervise import die_with
from modelpool_cluster.node.prerequisites import PATH
from modelpool_cluster.settings import Settings

from . import base, context, isolation, pruning, wheels

TAG = "test"


class ImagesUnavailableError(Exception):
    """The images could not be built; the message says by what and why."""


class NoBuilderError(ImagesUnavailableError):
    """There is nothing to build with."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The built images, as archives that docker and containerd load."""

    folder: Path
    builder: str
    """The program that built them."""
    seconds: float
    """What it took this time; about 0 when they were there."""

    def archive(self, target: str) -> Path:
        """Return an image's archive."""
        return self.folder / f"{target}.tar"

    @property
    def archives(self) -> list[Path]:
        """The archives of the project's programs; the clients are what one test brings."""
        return [self.archive(target) for target in context.PROGRAMS]

    @staticmethod
    def name(target: str) -> str:
        """Return what an image is called in a pod."""
        return f"modelpool/{target}:{TAG}"


def build(settings: Settings, log: Callable[[str], None]) -> Images:
    """Build all images, or find them built. Raises ImagesUnavailableError."""
    began = time.monotonic()
    store = settings.cache / "images"
    builder = _builder()
    scratch = Cache(store)
    with scratch.locked(log), scratch.staging() as staged:
        key = context.copy(staged / "context")
        folder = store / "built" / f"{key}-{builder}"
        if not folder.is_dir():
            log(f"Building the images with {builder}")
            (staged / "built").mkdir()
            try:
                if builder == "buildah":
                    _with_buildah(store, staged, settings, log)
                else:
                    _with_docker(builder, staged, settings)
            except (base.BaseUnavailableError, wheels.WheelsUnavailableError) as exc:
                raise ImagesUnavailableError(str(exc)) from exc
            folder.parent.mkdir(exist_ok=True)
            pruning.drop_old_builds(folder.parent)
            (staged / "built").rename(folder)
    return Images(folder=folder, builder=builder, seconds=time.monotonic() - began)


def _builder() -> str:
    for program in ("docker", "podman", "buildah"):
        needed = (program, "debootstrap") if program == "buildah" else (program,)
        if any(shutil.which(name, path=PATH) is None for name in needed):
            continue
        works = [program, "version"]  # a client without its daemon does not
        if subprocess.run(works, env={"PATH": PATH}, capture_output=True, timeout=30, check=False).returncode == 0:
            return program
    raise NoBuilderError("docker, podman, or buildah with debootstrap is needed (Debian: e2e/node-requirements.sh)")


def _with_docker(builder: str, staged: Path, settings: Settings) -> None:
    for target in context.TARGETS:
        name, file = Images.name(target), str(staged / "built" / f"{target}.tar")
        _run([builder, "build", f"--target={target}", f"--tag={name}", str(staged / "context")], settings)
        _run([builder, "save", f"--output={file}", name], settings)


def _with_buildah(store: Path, staged: Path, settings: Settings, log: Callable[[str], None]) -> None:
    pruning.empty_when_large(store / "storage")
    base.write_base(staged / "base.tar", base.layer(store, log))
    tools = wheels.folder(store, settings, log)
    base.write_builder(staged / "builder.tar", base.compiling_layer(store, log), tools, staged)
    buildah = ["buildah", f"--root={store / 'storage'}", f"--runroot={staged / 'run'}", "--storage-driver=overlay"]
    commands = [[*buildah, "pull", "--quiet", f"oci-archive:{staged / name}.tar"] for name in ("base", "builder")]
    for target in context.TARGETS:
        name = f"docker.io/{Images.name(target)}"
        arguments = [f"--build-arg=BASE={base.BASE}", f"--build-arg=BUILDER={base.BUILDER}"]
        commands.append(
            [*buildah, "build", "--isolation=chroot", "--network=host", "--pull-never", "--layers", *arguments,
             f"--target={target}", f"--tag={name}", str(staged / "context")]
        )  # fmt: skip
        commands.append(
            [*buildah, "push", "--quiet", name, f"docker-archive:{staged / 'built' / target}.tar:{Images.name(target)}"]
        )
    script = "\n".join(["set -e", *(shlex.join(command) for command in commands)])
    _run([*isolation.ALONE, "sh", "-c", script], settings)


def _run(command: list[str], settings: Settings) -> None:
    done = subprocess.run(
        command, env={**settings.environment, "PATH": PATH}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False, preexec_fn=die_with(os.getpid()),
    )  # fmt: skip
    if done.returncode != 0:
        last = "\n".join(done.stdout.splitlines()[-30:])
        raise ImagesUnavailableError(f"{shlex.join(command)[:200]} ended with {done.returncode}:\n{last}")
