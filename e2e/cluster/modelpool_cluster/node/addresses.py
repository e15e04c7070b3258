"""Who is where in the node's network. All of it is in the run's own network namespace, so no two runs can meet."""

from __future__ import annotations

from typing import Final

NODE: Final = "real"
"""The node's name."""
BRIDGE: Final = "cni0"
ADDRESS: Final = "10.244.0.1"
"""Of the bridge: the node, the API server and CoreDNS have no other."""
POD_CIDR: Final = "10.244.0.0/24"
FIRST_POD: Final = "10.244.0.10"
DNS_SERVICE: Final = "10.96.0.10"
DOMAIN: Final = "cluster.local"
