"""Another real node beside the first, for the cases that take two: it joins, falls silent, comes back, leaves.

It has a machine of its own, with containerd and a kubelet, in the network of the first, whose kube-proxy and CoreDNS
serve both.
"""

from __future__ import annotations

from .. import rest
from . import addresses, cards
from .machine import Machine
from .manager import NodeManager
from .readiness import heartbeat, wait_until_ready


class SecondNode:
    """The node `other`."""

    name = addresses.SECOND.name

    def __init__(self, api: rest.Api, manager: NodeManager) -> None:
        self._api = api
        self._manager = manager
        self._machine: Machine | None = None

    @property
    def machine(self) -> Machine:
        """What it runs on."""
        if self._machine is None:
            raise RuntimeError("the second node has not been booted")
        return self._machine

    def boot(self) -> None:
        """Let it join, or come back after a power cut. Returns when it is Ready; pods start in their own time."""
        before = heartbeat(self._api, self.name)
        self._machine = self._manager.join(addresses.SECOND)
        wait_until_ready(self._api, self.name, self._machine, since=before)

    def cut_power(self) -> None:
        """Let it fall silent: all that runs on it is dead at once, and nobody has been told."""
        self.machine.cut_power()

    def give_cards(self, *, gpus: int = 1, replicas: int = 1, memory_mib: int = 24576) -> None:
        """Let it have cards, as `NodeCluster.add_gpu_node` does for the first node. They go with the node."""
        cards.give(
            self._api, addresses.SECOND, gpus=gpus, replicas=replicas, memory_mib=memory_mib,
            product="NVIDIA-GeForce-RTX-4090", resource_name="nvidia.com/gpu",
        )  # fmt: skip

    def leave(self) -> None:
        """Take it out of the cluster, whatever state it is in."""
        if not self.machine.is_off:
            self.machine.cut_power()
        self._api.delete(cards.path(self.name))
