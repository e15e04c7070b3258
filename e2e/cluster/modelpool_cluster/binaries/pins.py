"""Which programs, at which versions, built how. Pure: reads text, touches nothing.

`e2e/cluster/go.mod` is the one place that says a version. The key of a cache folder is a hash of all that a build
depends on, so a changed pin or flag never meets an old program.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Collection, Mapping

GO_SERIES = "1.26"
"""Kubernetes 1.36 is built with this Go: under 1.27 its OpenAPI v3 document is garbled and `kubectl apply` fails."""

BUILD_FLAGS = ("-mod=readonly", "-buildvcs=false", "-trimpath")

_REQUIREMENT = re.compile(r"^\s*(?:require\s+)?(?P<path>\S+)\s+(?P<version>v\d\S*)(?:\s+//.*)?$")


class PinError(ValueError):
    """go.mod does not pin what is needed."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One program to build."""

    name: str
    package: str
    """The Go package of its main function, a `tool` of go.mod."""
    module: str
    """The module whose version is the program's version; empty for a program of ours, which has none."""
    variables: tuple[tuple[str, str], ...] = ()
    """Link-time variables, with {version}, {major} and {minor}: without them the program calls itself v0.0.0."""

    folder: str = dataclasses.field(default="", repr=False)
    """Of the go.mod that pins it, relative to `e2e/cluster`."""

    def linker_flags(self, version: str) -> str:
        """Return the value of -ldflags for a version such as v1.36.3."""
        major, minor, _ = version.removeprefix("v").split(".", 2)
        values = {"version": version, "major": major, "minor": minor}
        return " ".join(["-s", "-w", *(f"-X {name}={value.format(**values)}" for name, value in self.variables)])


_KUBERNETES = "k8s.io/kubernetes"
_KUBERNETES_VARIABLES = tuple(
    (f"{package}.{variable}", value)
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for variable, value in (
        ("gitVersion", "{version}"),
        ("gitMajor", "{major}"),
        ("gitMinor", "{minor}"),
        ("gitTreeState", "archive"),
    )
)

TARGETS = (
    Target(name="etcd", package="go.etcd.io/etcd/server/v3", module="go.etcd.io/etcd/server/v3"),
    Target(
        name="kwok",
        package="sigs.k8s.io/kwok/cmd/kwok",
        module="sigs.k8s.io/kwok",
        variables=(("sigs.k8s.io/kwok/pkg/consts.Version", "{version}"),),
    ),
    *(
        Target(name=name, package=f"{_KUBERNETES}/cmd/{name}", module=_KUBERNETES, variables=_KUBERNETES_VARIABLES)
        for name in ("kubectl", "kube-apiserver", "kube-scheduler", "kube-controller-manager")
    ),
)
"""In the order of building: what is small first, so that a broken toolchain shows early."""

NODE_TARGETS = (
    Target(name="pause", package="./pause", module="", folder="node"),
    Target(name="coredns", package=".", module="github.com/coredns/coredns", folder="coredns"),
    *(
        Target(
            name=name,
            package=f"{_KUBERNETES}/cmd/{name}",
            module=_KUBERNETES,
            variables=_KUBERNETES_VARIABLES,
            folder="node",
        )
        for name in ("kube-proxy", "kubelet")
    ),
)
"""What a real node runs beside containerd."""


def versions(go_mod: str) -> dict[str, str]:
    """Return the version of every module that a go.mod requires."""
    found: dict[str, str] = {}
    for line in go_mod.splitlines():
        if "=>" not in line and (match := _REQUIREMENT.match(line)):
            found[match["path"]] = match["version"]
    return found


def version_of(target: Target, go_mod: str) -> str:
    """Return the version of a target, such as v1.36.3. Raises PinError."""
    if not target.module:
        return "v0.0.0"
    try:
        return versions(go_mod)[target.module]
    except KeyError:
        raise PinError(f"go.mod must require {target.module}, which {target.name} is built from") from None


def cache_key(go_mod: str, go_sum: str, *, system: str, machine: str) -> str:
    """Return the name of the cache folder, such as `v1.36.3-0c5f3a9be021`.

    The hash covers go.mod, go.sum, the build flags, the targets with their link-time variables, the Go series and the
    platform.
    """
    inputs = "\0".join([go_mod, go_sum, repr(TARGETS), repr(BUILD_FLAGS), GO_SERIES, system, machine])
    kubernetes = versions(go_mod).get(_KUBERNETES)
    if kubernetes is None:
        raise PinError(f"go.mod must require {_KUBERNETES}")
    return f"{kubernetes}-{hashlib.sha256(inputs.encode()).hexdigest()[:12]}"


def module_key(sources: Mapping[str, bytes], targets: Collection[Target], *, system: str, machine: str) -> str:
    """Return the cache folder's name for programs of a module of their own, made from its files by name."""
    files = [f"{name}\0{hashlib.sha256(content).hexdigest()}" for name, content in sorted(sources.items())]
    inputs = "\0".join([*files, repr(targets), repr(BUILD_FLAGS), GO_SERIES, system, machine])
    return hashlib.sha256(inputs.encode()).hexdigest()[:12]
