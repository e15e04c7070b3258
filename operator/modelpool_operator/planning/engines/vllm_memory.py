"""What vLLM puts into its share of a card: weights, runtime, and the KV cache of at least one sequence."""

from typing import Final

from modelpool_operator.api.models import Model
from modelpool_operator.api.quantity import MIB
from modelpool_operator.planning import catalog
from modelpool_operator.planning.arithmetic import Term
from modelpool_operator.planning.engines import adapters
from modelpool_operator.planning.sources import parse_source

RUNTIME: Final = 1229 * MIB
"""Activations, CUDA graphs and workspaces of one process, per card: 0.8 to 1.2 GiB; the upper end is counted."""
CACHE: Final = "KV cache"
STATED_CACHE: Final = f"{CACHE} as stated"


def _element_bytes(model: Model, pool_args: tuple[str, ...]) -> int:
    """Return the width of a cached number: the last `--kv-cache-dtype` counts, two bytes where there is none."""
    width, args = 2, (*pool_args, *model.args)
    for place, arg in enumerate(args):
        flag, _, value = arg.partition("=")
        if flag == "--kv-cache-dtype":
            value = value or (args[place + 1] if place + 1 < len(args) else "")
            width = 1 if value.startswith("fp8") else 2
    return width


def longest_context(model: Model, share: int, pool_args: tuple[str, ...] = ()) -> int | None:
    """Return the tokens of one sequence that a share has room for, which is what `auto` comes to; None if unknown.

    Args:
        model: with known weights and a known cache.
        share: bytes of each of its cards.
        pool_args: of every engine of the pool.
    """
    known, (terms, _) = catalog.known(parse_source(model.source or "")), needs(model, pool_args)
    if known is None or model.context_length is not None or model.kv_cache_memory is not None:
        return None
    cards = max(1, model.tensor_parallel_size)
    room = (share - sum(term.bytes for term in terms)) * cards
    draft = catalog.known(parse_source((model.speculative.model if model.speculative else None) or ""))
    if draft is not None:  # Both keep a cache of the same sequence.
        mine, its = known.shape.kv_bytes(1), draft.shape.kv_bytes(1)
        room = room * mine // (mine + its)
    return min(known.context, known.shape.tokens_in(max(0, room), _element_bytes(model, pool_args)))


def needs(model: Model, pool_args: tuple[str, ...] = ()) -> tuple[tuple[Term, ...], tuple[str, ...]]:
    """Return what is known to go into the model's share, per card, and what could not be checked.

    Weights are split over the cards of a tensor parallel model, and so is its cache. The weights' size is the spec's,
    else the catalog's; a draft model's weights and cache count too. Without known weights there is nothing to check.
    """
    source = parse_source(model.source or "")
    known, terms, notes = catalog.known(source), [], []
    cards = max(1, model.tensor_parallel_size)
    weights = model.weights.bytes if model.weights is not None else known.weights if known else None
    if weights is None:
        return (), (f"{model.name}: the size of its weights is not known, so their fit is unchecked; set `weights`",)
    terms.append(Term(label="weights", bytes=-(-weights // cards)))
    terms.append(Term(label="runtime", bytes=RUNTIME))
    length, width = model.context_length, _element_bytes(model, pool_args)
    if model.kv_cache_memory is not None:
        terms.append(Term(label=STATED_CACHE, bytes=model.kv_cache_memory.bytes))
    elif known is None:
        notes.append(f"{model.name}: the cost of its context is not known, so only its weights are checked")
    elif length is not None:
        cache = -(-known.shape.kv_bytes(length, width) // cards)
        terms.append(Term(label=f"{CACHE} for one sequence of {length} tokens", bytes=cache))
    draft = model.speculative.model if model.speculative else None
    if draft is not None:
        found = catalog.known(parse_source(draft))
        if found is None:
            notes.append(f"{model.name}: the size of its draft model {draft} is not known, so it is not counted")
        else:
            cache = found.shape.kv_bytes(length, width) if length is not None else 0
            terms.append(Term(label="draft model", bytes=-(-(found.weights + cache) // cards)))
    kept, unknown = adapters.needs(model, known)
    return (*terms, *kept), (*notes, *unknown)
