"""A cluster whose nodes are real and somebody else's: kind's, or one that a kubeconfig names. For the same cases.

What only a node of our own can do is refused by name (NotOnThisClusterError), and pytest skips the case that asked.
The tests call Services by their ClusterIP: the machine they run on must have a route to it.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ..binaries import Binaries
from ..cluster import Cluster
from ..fakenodes import nodes
from ..managers import MANAGERS, Manager
from ..settings import Provider, Settings
from .cluster import NodeCluster
from .machine import Machine
from .prerequisites import NotOnThisClusterError
from .second import SecondNode

_REACH_SECONDS = 5.0
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class BorrowedCluster(NodeCluster):
    """A running cluster of the provider `kind` or `external`. The cards are put on the first node that takes pods."""

    def __init__(self, settings: Settings, binaries: Binaries, log: Callable[[str], None] = lambda line: None) -> None:
        """`log` gets a line for people."""
        super().__init__(settings, binaries, log)
        self._node = ""

    ours = False

    @property
    def node(self) -> str:
        """The name of the node that has the cards."""
        return self._node

    def close(self) -> None:
        """Take the cards away, and delete the cluster if it is ours. May be called twice."""
        Cluster.close(self)

    def inside(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: the tests are where they call from."""
        return contextlib.nullcontext()

    outside = inside

    @property
    def machine(self) -> Machine:
        """Not ours."""
        self._refuse("the node's machine")

    def reboot(self) -> float:
        """Not ours to reboot."""
        self._refuse("to cut a node's power")

    def run_on_node(self, *argv: str, timeout: float = 60) -> str:
        """Not ours to run commands on."""
        self._refuse("a node to run commands on")

    def second_node(self, *images: Path) -> contextlib.AbstractContextManager[SecondNode]:
        """Not ours to let join."""
        self._refuse("a second node of our own")

    def import_images(self, *files: Path) -> None:
        """Let kind load archives. On an external cluster the images must be there: `make images` builds them."""
        if self.manager.settings.provider is Provider.KIND:
            for file in files:
                self.manager._exec(["load", "image-archive", str(file), "--name", self.manager.cluster_name])

    def add_gpu_node(self, *args: Any, gpus: int = 1, **wishes: Any) -> str:
        """Let the node have one card. Two need a container runtime that gives them out."""
        if gpus > 1:
            self._refuse("two cards")
        return super().add_gpu_node(*args, gpus=gpus, **wishes)

    def add_volume(self, size: str = "64Gi", *, folder: Path | None = None) -> str:
        """Do nothing: the default StorageClass makes volumes for claims."""
        if folder is not None:
            self._refuse("a volume in a folder of the node")
        return ""

    def remove_volume(self, name: str) -> None:
        """Do nothing: the volumes go with their claims."""

    def folder_of(self, volume: str) -> Path:
        """Not on this machine."""
        self._refuse("a volume's folder")

    @property
    def audit_log(self) -> Path:
        """Not ours to read."""
        self._refuse("an audit log")

    def log_tails(self, lines: int = 15) -> list[str]:
        """Return nothing: the components' logs are not ours."""
        return []

    def _refuse(self, what: str) -> NoReturn:
        raise NotOnThisClusterError(f"the provider '{self.manager.settings.provider}' does not have {what}")

    def _new_manager(self, settings: Settings, binaries: Binaries) -> Manager:
        return MANAGERS[settings.provider](settings, binaries)

    def _furnish(self) -> None:
        classes = self.api.items("/apis/storage.k8s.io/v1/storageclasses")
        if not any(one["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true" for one in classes):
            raise NotOnThisClusterError("the cluster needs a default StorageClass")
        usable = [one for one in self.api.items("/api/v1/nodes") if not one["spec"].get("taints")]
        if not usable:
            raise NotOnThisClusterError("the cluster needs a node without taints")
        self._node = str(usable[0]["metadata"]["name"])
        self._check_route()
        if self.api.find(f"/apis/node.k8s.io/v1/runtimeclasses/{nodes.RUNTIME_CLASS}") is None:
            self.api.create("/apis/node.k8s.io/v1/runtimeclasses", nodes.RUNTIME_CLASS_MANIFEST)
        self._log(f"The cases run on node {self._node} of the provider '{self.manager.settings.provider}'")

    def _check_route(self) -> None:
        service = self.api.get("/api/v1/namespaces/default/services/kubernetes")["spec"]
        node = next(
            (one["address"] for one in self.api.get(f"/api/v1/nodes/{self._node}")["status"]["addresses"]
             if one["type"] == "InternalIP"), "NODE"
        )  # fmt: skip
        try:
            with socket.create_connection((service["clusterIP"], 443), timeout=_REACH_SECONDS):
                return
        except OSError as exc:
            raise NotOnThisClusterError(
                f"this machine must reach the cluster's Services, and {service['clusterIP']}:443 does not answer "
                f"({exc}): `ip route add SERVICES via {node}`, SERVICES being the range of ClusterIPs, may help"
            ) from exc
