"""A placement as plain data: what `-o json` prints and what the table is drawn from. Pure."""

from typing import Any

from msgspec import structs

from modelpool_operator.api.models import Engine
from modelpool_operator.api.pool import ModelPool, Sharing
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.engines.ollama import servers as ollama_servers
from modelpool_operator.planning.engines.vllm import arguments as vllm
from modelpool_operator.planning.memory import arithmetic
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.observation.holdings import Neighbours
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement import card_arithmetic, placement_reasons
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement, Share

Report = dict[str, Any]


def decide(pool: ModelPool, others: Neighbours | None = None) -> Placement | Refusal:
    """Return what the operator would decide of a new pool, with the card size that the pool declares.

    A pool that leaves the way of sharing open is counted as under `dra`, as most ways count.

    Args:
        pool: the new one.
        others: what others hold of cards.
    """
    return place_pool(settled(pool), Observed(neighbours=others or Neighbours()))


def settled(pool: ModelPool) -> ModelPool:
    """Return the pool as if it said how it shares its cards."""
    if pool.spec.gpus.sharing is not Sharing.AUTO:
        return pool
    gpus = structs.replace(pool.spec.gpus, sharing=Sharing.DRA)
    return structs.replace(pool, spec=structs.replace(pool.spec, gpus=gpus))


def decide_here(pool: ModelPool) -> Placement | Refusal:
    """Return the same for a pool of this machine, which need not say on which node its cards are."""
    node = pool.spec.node_selector or {"kubernetes.io/hostname": "localhost"}
    return decide(structs.replace(pool, spec=structs.replace(pool.spec, node_selector=node)))


def report(pool: ModelPool, verdict: Placement | Refusal) -> Report:
    """Return the placement, or why there is none; sizes in bytes."""
    head = {"pool": {"namespace": pool.ref.namespace, "name": pool.ref.name}, "sharing": pool.spec.gpus.sharing.value}
    if isinstance(verdict, Refusal):
        return {**head, "verdict": "refused", "reason": verdict.reason, "message": verdict.message, **_sum(verdict)}
    note = sharing.MODES[verdict.sharing].overhead_note
    beside = ollama_servers.divide(pool.spec, verdict.sharing).beside
    return {
        **head,
        "verdict": "fits",
        "cards": [
            {
                "index": card.index,
                "memoryBytes": card.memory,
                "reserveBytes": card.reserve,
                "plannedBytes": card.planned,
                "freeBytes": card.free,
                **({"heldBytes": arithmetic.total(card.held)} if card.held else {}),
                "models": [_share(pool, share, verdict) for share in card.shares],
                "arithmetic": [_line(line) for line in card_arithmetic.lines_of(card, note)],
            }
            for card in verdict.cards
        ],
        "ollama": [
            {"model": model.name, "aliases": list(model.aliases)}
            for model in pool.spec.models
            if model.engine is Engine.OLLAMA
        ],
        "fallback": [
            {"model": model.name, "ollamaModel": stand_in, **({"onCpu": True} if stand_in in beside else {})}
            for model in pool.spec.models
            if (stand_in := ollama.fallback_name(pool.spec, model)) is not None
        ],
        "startOrder": [share.model for share in verdict.shares],
        "notes": [*verdict.notes, *_open_sharing(pool, verdict)],
    }


def _open_sharing(pool: ModelPool, verdict: Placement) -> tuple[str, ...]:
    if pool.spec.gpus.sharing is not Sharing.AUTO:
        return ()
    counted = f"the plan counts as under '{verdict.sharing.value}'"
    return (f"sharing is 'auto': {counted}; in a cluster, what its nodes offer decides",)


def _sum(refusal: Refusal) -> Report:
    """Return the numbers that led to a refusal, where a sum did."""
    if refusal.have is None:
        return {}
    return {
        "haveBytes": refusal.have,
        "needBytes": arithmetic.total(refusal.need),
        "arithmetic": [{"label": term.label, "bytes": term.bytes} for term in refusal.need],
    }


def _line(line: card_arithmetic.Line) -> Report:
    found: Report = {"label": line.label, "bytes": line.bytes, "shown": line.shown}
    return {**found, "of": [_line(part) for part in line.parts]} if line.parts else found


def _share(pool: ModelPool, share: Share, placed: Placement) -> Report:
    entry: Report = {
        "model": share.model,
        "engine": share.engine.value,
        "gpus": list(share.gpus),
        "fraction": round(share.fraction, 4),
        "shareBytes": share.bytes,
        "overheadBytes": share.overhead,
        "start": share.start,
        "arithmetic": [{"label": term.label, "bytes": term.bytes} for term in share.lines],
    }
    if (why := placement_reasons.why(share, placed)) is not None:
        entry["placement"] = why
    if share.longest_context is not None:
        entry["longestContext"] = share.longest_context
    model = next((one for one in pool.spec.models if one.name == share.model), None)
    if share.engine is Engine.VLLM and model is not None:
        entry["aliases"] = list(model.aliases)
        entry["adapters"] = [adapter.name for adapter in model.adapters]
        access = sharing.MODES[placed.sharing].access(pool, share)
        entry["arguments"] = list(vllm.arguments(pool.spec, model, share, access=access))
    return entry
