"""The node's network namespace: a process that holds it, the way in and out for a thread, and what is in it.

Whoever enters takes part in the node's network and in no other: pods and ClusterIPs answer, nothing outside does, so no
request of a test can leave the machine. Only the calling thread enters; threads and processes that it starts
afterwards are born inside.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .. import waiting
from ..controlplane import components
from ..controlplane.layout import Layout
from ..controlplane.supervisor import Supervisor
from . import addresses, prerequisites

_CLONE_NEWNET = 0x40000000
_OURS = Path("/proc/thread-self/ns/net")
_PREFIX = addresses.POD_CIDR.partition("/")[2]


class Space:
    """A network namespace that lives as long as its holder."""

    def __init__(self, supervisor: Supervisor, layout: Layout) -> None:
        """Make it, with its interfaces; ends with the supervisor."""
        self._outer = os.open(_OURS, os.O_RDONLY | os.O_CLOEXEC)
        before = _OURS.readlink()
        command = ["unshare", "--net", "--", "sleep", "infinity"]
        self.holder = supervisor.start("space", command, layout.logs / "space.log")
        self.path = Path(f"/proc/{self.holder}/ns/net")
        waiting.wait_for("the network namespace", lambda: self.path.readlink() != before, timeout=10, every=0.01)
        self.identity = str(self.path.readlink())
        """Its name in the kernel, such as `net:[4026532281]`."""
        supervisor.will_clear_network_of(self.holder)
        with self.inside():
            furnish()

    def command(self, argv: list[str]) -> list[str]:
        """Return the command that starts a program inside."""
        return ["nsenter", f"--net={self.path}", "--", *argv]

    def add_address(self, address: str) -> None:
        """Give the bridge one more address, another node's."""
        with self.inside():
            _ip(f"address add {address}/{_PREFIX} dev {addresses.BRIDGE}")

    def close(self) -> None:
        """Forget the way out; whoever is outside by then stays there. The holder ends with the supervisor."""
        if self._outer >= 0:
            os.close(self._outer)
        self._outer = -1

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Be where the tests came from, for a while: for those that want nothing of the node."""
        with self._moved(os.dup(self._outer)):
            yield

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Be inside, with this thread; may be nested."""
        with self._moved(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)):
            yield

    @contextlib.contextmanager
    def _moved(self, target: int) -> Iterator[None]:
        before = os.open(_OURS, os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                _move(target)
            finally:
                os.close(target)
            yield
        finally:
            if self._outer >= 0 or self.identity not in str(Path(f"/proc/self/fd/{before}").readlink()):
                _move(before)  # but never back into a network that has ended
            os.close(before)


def _move(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "this thread could not change its network namespace")


def furnish() -> None:
    """Make the interfaces of a new namespace: loopback, and the bridge that the node's address is on.

    The bridge comes before any pod, for the API server binds its address. ClusterIPs are routed to it, so that a
    connection from the node has a source address before kube-proxy's rules turn it to a pod.
    """
    bridge = addresses.BRIDGE
    for command in (
        "link set dev lo up",
        f"link add name {bridge} type bridge",
        f"address add {addresses.ADDRESS}/{_PREFIX} dev {bridge}",
        f"link set dev {bridge} up",
        f"route add {components.SERVICE_CIDR} dev {bridge} src {addresses.ADDRESS}",
    ):
        _ip(command)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    bridged = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if bridged.exists():  # so that answers between two pods pass kube-proxy's rules on their way back
        bridged.write_text("1")


def _ip(command: str) -> None:
    """Run `ip` in the calling thread's network."""
    subprocess.run(["ip", *command.split()], env={"PATH": prerequisites.PATH}, check=True, timeout=30)
