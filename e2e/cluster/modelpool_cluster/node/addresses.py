"""Who is where in the nodes' network. All of it is in the run's own network namespace, so no two runs can meet."""

from __future__ import annotations

import dataclasses
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A node, as the others know it."""

    name: str
    address: str


FIRST: Final = Host(name="real", address="10.244.0.1")
"""The node that all cases have. The API server and CoreDNS listen on its address, which is the bridge's."""
SECOND: Final = Host(name="other", address="10.244.0.2")
"""The one that joins it for a case that takes two."""
NODE: Final = FIRST.name
ADDRESS: Final = FIRST.address
BRIDGE: Final = "cni0"
POD_CIDR: Final = "10.244.0.0/24"
FIRST_POD: Final = "10.244.0.10"
DNS_SERVICE: Final = "10.96.0.10"
DOMAIN: Final = "cluster.local"
