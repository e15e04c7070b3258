"""What a real node needs of the machine below it, each need by its name. Only looks, and undoes what it tries."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import configuration

PROGRAMS: Mapping[str, str] = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "ip": "iproute2",
    "mount": "mount",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}
"""Programs, and the Debian packages that have them."""
CNI_PACKAGE = "containernetworking-plugins"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where they are looked for: an ordinary user's PATH has no sbin."""

_CGROUPS = Path("/sys/fs/cgroup")
_HIERARCHIES = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer")
_CAP_SYS_ADMIN = 21
_TRIALS = {
    "BRIDGE": "ip link add name trial type bridge",
    "VETH": "ip link add name trial type veth peer name trial-peer",
    "NF_TABLES": "nft add table ip trial && nft add chain ip trial nat '{ type nat hook output priority 0; }'",
    "OVERLAY": "grep -qw overlay /proc/filesystems || modprobe overlay",
}
"""Each in a network namespace of its own, which ends with the command."""


class MissingPrerequisitesError(Exception):
    """This machine cannot have a node; the message names all that is missing."""


class NotOnThisClusterError(Exception):
    """A test asks for what this cluster cannot do, or the cluster cannot be used; the message says what it takes."""


def missing() -> Iterator[str]:
    """Yield what is missing, each with what would give it."""
    if platform.system() != "Linux":
        yield f"Linux (this is {platform.system()})"
        return
    absent = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    packages = sorted({PROGRAMS[name] for name in absent})
    if not (configuration.CNI_PLUGINS / "bridge").exists():
        absent.append("the CNI plugin bridge")
        packages.append(CNI_PACKAGE)
    if absent:
        yield f"{', '.join(absent)} (Debian: {' '.join(packages)}; e2e/node-requirements.sh installs them)"
    if os.geteuid() != 0:
        yield "root"
        return
    if not _capabilities() >> _CAP_SYS_ADMIN & 1:
        yield "the capability CAP_SYS_ADMIN"
        return
    yield from _missing_hierarchies()
    if not {"ip", "nft", "unshare"} & set(absent):
        for feature, trial in _TRIALS.items():
            command = ["unshare", "--net", "--", "sh", "-c", trial]
            if subprocess.run(command, env={"PATH": PATH}, capture_output=True, timeout=30, check=False).returncode:
                yield f"the kernel's {feature}"


def check() -> None:
    """Raise MissingPrerequisitesError when anything is missing."""
    if lacking := list(missing()):
        raise MissingPrerequisitesError(f"a real node needs {'; '.join(lacking)}")


def _missing_hierarchies() -> Iterator[str]:
    if (_CGROUPS / "cgroup.controllers").exists():  # version 2: one hierarchy for all
        return
    for name in _HIERARCHIES:
        if not (_CGROUPS / name / "tasks").exists():
            yield f"the control group hierarchy {_CGROUPS / name}"


def _capabilities() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
