"""A cluster with one real node, as a test holds it: everything of `Cluster`, and what only a real node can do."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from .. import waiting
from ..binaries import Binaries
from ..cluster import Cluster
from ..controlplane import components
from ..managers import Manager
from ..settings import Settings
from . import addresses, cards, objects
from .addresses import Host
from .machine import Machine
from .manager import NodeManager
from .readiness import heartbeat, wait_until_ready
from .second import SecondNode


class NodeCluster(Cluster):
    """A running cluster with a real node. The thread that started it is in the node's network until `close`.

    kwok is not there: no pod is played, none is held.
    """

    manager: NodeManager
    ours = True
    """Whether the node goes with the run. What tests put on a node of others they must take away."""

    def __init__(self, settings: Settings, binaries: Binaries, log: Callable[[str], None] = lambda line: None) -> None:
        """`log` gets a line for people about the start and the end."""
        super().__init__(settings, binaries)
        self._log = log
        self._volumes = 0
        self._extended: dict[str, str | None] = {}
        """Extended resources of the node, with their capacity."""

    def close(self) -> None:
        """End all of it, and say what is left: nothing. Raises LeftoversError. May be called twice."""
        began = time.monotonic()
        was_up = self.manager.layout is not None
        super().close()
        if was_up and self.manager.traces is not None:
            self._log(f"Node gone in {time.monotonic() - began:.1f} s; left: {self.manager.traces}")

    @contextlib.contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Say for people what a part of the set-up took."""
        began = time.monotonic()
        yield
        self._log(f"{what} in {time.monotonic() - began:.1f} s")

    def inside(self) -> AbstractContextManager[None]:
        """Be in the node's network with the calling thread; a test already is, a thread it had before is not."""
        return self.machine.space.inside()

    def outside(self) -> AbstractContextManager[None]:
        """Be where the tests came from, for a test that wants nothing of the node."""
        return self.machine.space.outside()

    @property
    def node(self) -> str:
        """The name of the node."""
        return addresses.NODE

    @property
    def _path(self) -> str:
        return cards.path(self.node)

    # -- the node ----------------------------------------------------------------------------------------------------

    @property
    def machine(self) -> Machine:
        """The machine that the node's programs run on."""
        if self.manager.machine is None:
            raise RuntimeError("the node is not running")
        return self.manager.machine

    def run_on_node(self, *argv: str, timeout: float = 60) -> str:
        """Run a command on the node, with its mounts, processes and network; returns what it printed.

        Raises CalledProcessError.
        """
        done = subprocess.run(self.machine.inside(*argv), capture_output=True, text=True, timeout=timeout, check=True)
        return done.stdout

    def reboot(self) -> float:
        """Let the node lose its power and boot; returns the seconds until it is Ready again.

        Its pods start again in their own time.
        """
        before = heartbeat(self.api, self.node)
        began = time.monotonic()
        self.manager.reboot()
        self._wait_until_ready(since=before)
        return time.monotonic() - began

    def second_node(self, *images: Path) -> AbstractContextManager[SecondNode]:
        """Let another real node join for as long as the block takes, with images from archives and no cards."""
        return self._second_node(images)

    @contextlib.contextmanager
    def _second_node(self, images: Sequence[Path]) -> Iterator[SecondNode]:
        second = SecondNode(self.api, self.manager)
        second.boot()
        try:
            for file in images:
                second.machine.import_images(file)
            yield second
        finally:
            second.leave()

    def import_images(self, *files: Path) -> None:
        """Put images from archives on the node, under the names that the archives say."""
        for file in files:
            self.manager.import_images(file)

    # -- cards -------------------------------------------------------------------------------------------------------

    def add_gpu_node(
        self,
        name: str = addresses.NODE,
        *,
        gpus: int = 1,
        replicas: int = 1,
        memory_mib: int = 24576,
        product: str = "NVIDIA-GeForce-RTX-4090",
        resource_name: str = "nvidia.com/gpu",
        labels: Mapping[str, str] | None = None,
        held: bool = False,
    ) -> str:
        """Let the one node have `gpus` cards, as a device plugin and feature discovery would; returns its name.

        Whatever `name` says, there is but one node. Returns when pods can be given the cards. Raises ValueError when
        the node is to be `held`: a kubelet does not wait.
        """
        if held:
            raise ValueError("a real node cannot be held")
        host = Host(name=self.node, address=addresses.ADDRESS)
        self._extended[resource_name] = cards.give(
            self.api, host, gpus=gpus, replicas=replicas, memory_mib=memory_mib, product=product,
            resource_name=resource_name, labels=labels,
        )  # fmt: skip
        self._nodes.add(self.node)
        return self.node

    def remove_node(self, name: str) -> None:
        """Take the cards away. The node stays, for there is but one."""
        cards.take_away(self.api, self.node)
        for resource in self._extended:
            cards.offer(self.api, self.node, resource, None)
        self._extended.clear()
        self._nodes.discard(self.node)

    # -- volumes -----------------------------------------------------------------------------------------------------

    def add_volume(self, size: str = "64Gi", *, folder: Path | None = None) -> str:
        """Offer a volume, a folder of the node, to claims of the default StorageClass; returns its name."""
        self._volumes += 1
        name = f"volume-{self._volumes}"
        folder = folder or self.folder / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        self.api.create("/api/v1/persistentvolumes", objects.volume(name, folder, size))
        return name

    def remove_volume(self, name: str) -> None:
        """Withdraw a volume. Its files go with the run."""
        self.api.delete(f"/api/v1/persistentvolumes/{name}")

    def folder_of(self, volume: str) -> Path:
        """Return the folder that a volume is; the tests see the same files as the pods."""
        return Path(self.api.get(f"/api/v1/persistentvolumes/{volume}")["spec"]["hostPath"]["path"])

    # -- start and end -----------------------------------------------------------------------------------------------

    def _new_manager(self, settings: Settings, binaries: Binaries) -> Manager:
        return NodeManager(settings, binaries)

    def _furnish(self) -> None:
        began = time.monotonic()
        for manifest in objects.BASICS:
            self.apply(manifest)
        self._wait_until_ready()
        self.manager.seconds["node"] = time.monotonic() - began
        each = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.manager.seconds.items())
        self._log(f"Node ready in {sum(self.manager.seconds.values()):.1f} s ({each})")

    def _wait_until_ready(self, *, since: str = "") -> None:
        """Wait until the kubelet says Ready, later than `since`, and kube-proxy and CoreDNS are at work."""
        wait_until_ready(self.api, self.node, self.machine, since=since)
        waiting.wait_for("CoreDNS", _dns_is_ready, timeout=60)
        waiting.wait_for("the Service `kubernetes`", _service_answers, timeout=60)


def _dns_is_ready() -> bool:
    """Return whether CoreDNS has read the cluster's names."""
    connection = http.client.HTTPConnection(addresses.ADDRESS, 8181, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _service_answers() -> bool:
    """Return whether kube-proxy leads from a ClusterIP to what is behind it."""
    try:
        with socket.create_connection((components.SERVICE_ADDRESS, 443), timeout=1):
            return True
    except OSError:
        return False
