"""Dynamic resource allocation: one ResourceClaim per card, which all pods of the card name and so share.

The scheduler gives each claim a device and brings the pods of a claim to the node of that device: exact cards, counted
by the scheduler, for any number of cards. Needs Kubernetes 1.34 (`resource.k8s.io/v1`) and NVIDIA's driver.
"""

from collections.abc import Mapping
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, PoolSpec, Sharing
from modelpool_operator.api.quantity import MIB
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import Manifest, metadata
from modelpool_operator.planning.sharing.mode import Access, CardUse, Mode

DEVICE_CLASS: Final = names.DRA_DRIVER
"""NVIDIA's driver brings it: every whole card."""
REQUEST: Final = "gpu"


class Dra(Mode):
    """A claim for each card."""

    way = Sharing.DRA
    by_devices = True
    shows_cards = True

    def counter(self, spec: PoolSpec) -> str | None:
        """The driver."""
        return names.DRA_DRIVER

    def objection(self, spec: PoolSpec) -> Refusal | None:
        """Refuse replicas: a claim is one card of one node."""
        copied = next((model for model in spec.models if model.most_replicas > 1), None)
        if copied is None:
            return None
        field = "replicas" if copied.autoscaling is None else "autoscaling.maxReplicas"
        message = (
            f"`{field}` of {copied.name} must be at most 1 with sharing 'dra', got {copied.most_replicas}: the pool's"
            " claims are cards of one node; make a pool for each node"
        )
        return Refusal(reason="SharingNotPossible", message=message)

    def of_node(self, gpus: frozenset[int]) -> Mapping[str, int]:
        """Return a device for each card: their claims are given devices one after the other."""
        return {names.DRA_DRIVER: len(gpus)}

    def access(self, pool: ModelPool, use: CardUse) -> Access:
        """Name the claims of the cards. The driver shows them; the runtime shall add none by the image's wish."""
        return Access(
            claims={f"gpu-{gpu}": names.claim_name(pool.ref.name, gpu) for gpu in use.gpus},
            env={"NVIDIA_VISIBLE_DEVICES": "void"},
            runtime_class_name=pool.spec.gpus.runtime_class_name,
        )

    def children(self, pool: ModelPool, gpus: frozenset[int], whole_card: int | None = None) -> tuple[Manifest, ...]:
        """Return the claims of these cards. A claim's spec cannot change, and says nothing that a pool could change.

        Where the driver lets several claims have a card, each asks for all of its memory: otherwise the scheduler may
        give two of them the same one, or the card's rest to a program that nobody here knows of.
        """
        return tuple(_claim(pool, gpu, whole_card) for gpu in sorted(gpus))


def _claim(pool: ModelPool, gpu: int, whole_card: int | None) -> Manifest:
    asked: dict[str, Any] = {"deviceClassName": DEVICE_CLASS}
    if whole_card is not None:
        asked["capacity"] = {"requests": {"memory": f"{whole_card // MIB}Mi"}}
    request: dict[str, Any] = {"name": REQUEST, "exactly": asked}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": metadata(pool, names.claim_name(pool.ref.name, gpu), annotations={names.CARD_ANNOTATION: str(gpu)}),
        "spec": {"devices": {"requests": [request]}},
    }


MODES: Final[tuple[Mode, ...]] = (Dra(),)
