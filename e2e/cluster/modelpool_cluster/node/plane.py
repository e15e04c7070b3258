"""The control plane of a real node: the ordinary one, inside the node's network and listening on its address."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from ..controlplane import certificates, components
from ..controlplane.layout import Layout
from ..controlplane.running import ControlPlane
from ..controlplane.supervisor import Supervisor
from . import addresses, configuration
from .space import Space

_SERVICE_NAMES: Final = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")


class NodePlane(ControlPlane):
    """A control plane in a network of its own. The thread that starts it is inside until `stop`."""

    site = configuration.SITE
    identities = (
        *certificates.IDENTITIES,
        certificates.KUBELET_CLIENT,
        *configuration.KUBELETS.values(),
        configuration.PROXY,
        configuration.DNS,
    )
    names = (
        *certificates.LOOPBACK,
        addresses.ADDRESS,
        components.SERVICE_ADDRESS,
        *_SERVICE_NAMES,
        f"{_SERVICE_NAMES[-1]}.{addresses.DOMAIN}",
    )
    space: Space | None = None
    _entered: contextlib.ExitStack | None = None

    def stop(self) -> None:
        """Leave the network, end all processes and remove their folder. May be called twice."""
        if self._entered is not None:
            self._entered.close()
        self._entered = None
        if self.space is not None:
            self.space.close()
        super().stop()

    def _prepare(self, layout: Layout, supervisor: Supervisor) -> None:
        self.space = Space(supervisor, layout)
        self._entered = contextlib.ExitStack()
        self._entered.enter_context(self.space.inside())

    def _command(self, argv: Sequence[str]) -> list[str]:
        if self.space is None:
            raise RuntimeError("the node's network has not been made")
        return self.space.command(list(argv))
