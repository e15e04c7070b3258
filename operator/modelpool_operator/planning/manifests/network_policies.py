"""The NetworkPolicy of a pool: who may reach its engines. Where the cluster's network enforces none, it does nothing.

Kubernetes lets a node reach its own pods whatever a policy says, so the kubelet's probes need no rule.
"""

from collections.abc import Iterator
from typing import Any

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, Network
from modelpool_operator.planning.engines.ollama import servers as ollama_servers
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.objects.identity import Manifest, metadata
from modelpool_operator.planning.observation.installation import Installation
from modelpool_operator.planning.sharing.shares import Placement

Peer = dict[str, Any]
"""A Kubernetes NetworkPolicyPeer."""


def isolates(pool: ModelPool, installation: Installation) -> bool:
    """Return whether the pool has a policy: as it says, else where it is known whom to let in."""
    wanted = _network(pool).isolate
    return installation.gateways is not None if wanted is None else wanted


def network_policy(pool: ModelPool, placement: Placement, installation: Installation) -> Manifest | None:
    """Return the policy of a pool's pods, or None where everybody may reach them."""
    if not isolates(pool, installation):
        return None
    own = {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.POOL_LABEL: names.label_value(pool.ref.name)}
    second = (names.OLLAMA_CPU_PORT,) if ollama_servers.divide(pool.spec, placement.sharing).beside else ()
    callers = [*_gateways(installation), *_network(pool).clients]
    ingress = [
        _rule(callers, *dict.fromkeys(profile.port for profile in PROFILES), *second),
        _rule([_clients(own)], names.OLLAMA_PORT),
        _rule(_network(pool).monitoring, *dict.fromkeys(profile.port for profile in PROFILES if not profile.of_pool)),
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(pool, names.policy_name(pool.ref.name)),
        "spec": {
            "podSelector": {"matchLabels": own},
            "policyTypes": ["Ingress"],
            # A rule without `from` would let everybody in.
            "ingress": [rule for rule in ingress if rule["from"]],
        },
    }


def notes_on(pool: ModelPool, installation: Installation) -> Iterator[str]:
    """Yield that nobody is let in, where the pool wants its engines apart and nobody knows from whom."""
    if isolates(pool, installation) and not [*_gateways(installation), *_network(pool).clients]:
        yield (
            "`network.isolate` is true, and the operator was told of no gateway (`--gateway-service`): no caller is let"
            " in; name the gateways in `network.clients`"
        )


def _network(pool: ModelPool) -> Network:
    return pool.spec.network or Network()


def _gateways(installation: Installation) -> list[Peer]:
    if installation.gateways is None:
        return []
    return [
        {
            "namespaceSelector": {"matchLabels": {names.NAMESPACE_LABEL: installation.gateways}},
            "podSelector": {
                "matchLabels": {names.COMPONENT_LABEL: names.GATEWAY_COMPONENT, names.PART_OF_LABEL: names.PART_OF}
            },
        }
    ]


def _clients(own: dict[str, str]) -> Peer:
    """Return the pool's own pods that ask its Ollama: those that pull and remove models."""
    components = [names.PULL_COMPONENT, names.REMOVE_COMPONENT]
    chosen = {"key": names.NAME_LABEL, "operator": "In", "values": components}
    return {"podSelector": {"matchLabels": dict(own), "matchExpressions": [chosen]}}


def _said(peer: Peer) -> Peer:
    """Return a peer as the API server keeps it: without null. An empty selector is one that selects everything."""
    return {key: value for key, value in peer.items() if value is not None}


def _rule(peers: list[Peer], *ports: int) -> dict[str, Any]:
    return {"from": [_said(peer) for peer in peers], "ports": [{"port": port, "protocol": "TCP"} for port in ports]}
