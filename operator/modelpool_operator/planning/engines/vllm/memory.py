"""What vLLM puts into its share of a card: weights, runtime, and the KV cache of at least one sequence."""

import dataclasses
import re
from bisect import bisect_right
from typing import Final, NamedTuple

import msgspec

from modelpool_operator.api.models import Model
from modelpool_operator.api.quantity import GIB, MIB
from modelpool_operator.planning.engines.vllm import adapters
from modelpool_operator.planning.memory import catalogue
from modelpool_operator.planning.memory.architectures import Shape
from modelpool_operator.planning.memory.arithmetic import CACHE, STATED_CACHE, Term
from modelpool_operator.planning.memory.sources import parse_source

RUNTIME: Final = 1229 * MIB
"""Activations, CUDA graphs and workspaces of one process, per card: 0.8 to 1.2 GiB; the upper end is counted."""
BATCHED: Final = 2048
"""Tokens of one step where nobody says: `--max-num-batched-tokens` of an engine that serves."""
BATCHED_ON_LARGE_CARDS: Final = 8192
LARGE_CARD: Final = 70 * GIB
"""From here on vLLM takes more tokens into a step, but on an A100, which nobody here can tell from others."""


class _Counted(NamedTuple):
    """How the cache of a model is counted, by its arguments and its cards."""

    element_bytes: int
    batched: int
    cards: int
    windowed: bool

    def of(self, shape: Shape, tokens: int) -> int:
        """Return the bytes of one sequence on each card."""
        if not self.windowed:
            every = shape.layers + shape.sliding_layers
            shape = dataclasses.replace(shape, layers=every, sliding_layers=0, window=0)
        return shape.kv_bytes(tokens, self.element_bytes, batched=self.batched, cards=self.cards)


def _counted(model: Model, card: int, pool_args: tuple[str, ...]) -> _Counted:
    args = (*pool_args, *model.args)
    dtype, batched = _value("--kv-cache-dtype", args), _tokens(_value("--max-num-batched-tokens", args) or "")
    whole = any(_switched_on(flag, args) for flag in ("--disable-sliding-window", "--disable-hybrid-kv-cache-manager"))
    return _Counted(
        element_bytes=1 if dtype is not None and dtype.startswith("fp8") else 2,
        batched=batched or (BATCHED_ON_LARGE_CARDS if card >= LARGE_CARD else BATCHED),
        cards=max(1, model.tensor_parallel_size),
        windowed=not whole,
    )


def _value(wanted: str, args: tuple[str, ...]) -> str | None:
    """Return the value of an argument, `--flag value` or `--flag=value`: the last one counts."""
    found = None
    for place, arg in enumerate(args):
        flag, equals, value = arg.partition("=")
        if flag.replace("_", "-") == wanted:
            found = value if equals else args[place + 1] if place + 1 < len(args) else ""
    return found


def _switched_on(wanted: str, args: tuple[str, ...]) -> bool:
    """Return whether a switch is on: the last of `--flag` and `--no-flag` counts."""
    off = f"--no-{wanted.removeprefix('--')}"
    said = [arg for arg in (arg.replace("_", "-") for arg in args) if arg in (wanted, off)]
    return said[-1:] == [wanted]


def _tokens(text: str) -> int | None:
    """Return a count as vLLM reads it, `8192`, `8k` or `8K`, or None where it is no such text."""
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)([kKmM]?)", text)
    factor = {"": 1, "k": 1000, "K": 1024, "m": 10**6, "M": 2**20}
    return int(float(match[1]) * factor[match[2]]) if match else None


def longest_context(model: Model, share: int, card: int, pool_args: tuple[str, ...] = ()) -> int | None:
    """Return the tokens of one sequence that a share has room for, which is what `auto` comes to; None if unknown.

    Args:
        model: with known weights and a known cache.
        share: bytes of each of its cards.
        card: bytes of each card as a whole.
        pool_args: of every engine of the pool.
    """
    known, (terms, _) = catalogue.known(parse_source(model.source or "")), needs(model, card, pool_args)
    if known is None or model.context_length is not None or model.kv_cache_memory is not None:
        return None
    counted, shapes = _counted(model, card, pool_args), [known.shape]
    draft = catalogue.known(parse_source((model.speculative.model if model.speculative else None) or ""))
    if draft is not None:  # Both keep a cache of the same sequence.
        shapes.append(draft.shape)
    room = share - sum(term.bytes for term in terms)
    lengths = range(1, known.context + 1)
    return bisect_right(lengths, room, key=lambda tokens: sum(counted.of(shape, tokens) for shape in shapes))


def cache_of(model: Model, share: int, card: int, pool_args: tuple[str, ...] = ()) -> int | None:
    """Return the bytes of cache on each card that a share has room for, or None where something in it is not known.

    It is what is stated, else what the plan counts for nothing else.
    """
    if model.kv_cache_memory is not None:
        return model.kv_cache_memory.bytes
    terms, unknown = needs(msgspec.structs.replace(model, context_length=None), card, pool_args)
    room = share - sum(term.bytes for term in terms)
    return room if room > 0 and not unknown else None


def needs(model: Model, card: int, pool_args: tuple[str, ...] = ()) -> tuple[tuple[Term, ...], tuple[str, ...]]:
    """Return what is known to go into the model's share, per card, and what could not be checked.

    Weights are split over the cards of a tensor parallel model, and so is its cache, down to one head of it on each
    card. The weights' size is the spec's, else the catalog's; a draft model's weights and cache count too. Where no
    weights are known there is nothing to check.
    """
    source = parse_source(model.source or "")
    known, terms, notes = catalogue.known(source), [], []
    cards = max(1, model.tensor_parallel_size)
    weights = model.weights.bytes if model.weights is not None else known.weights if known else None
    if weights is None:
        return (), (f"{model.name}: the size of its weights is not known, so their fit is unchecked; set `weights`",)
    terms.append(Term(label="weights", bytes=-(-weights // cards)))
    terms.append(Term(label="runtime", bytes=RUNTIME))
    length, counted = model.context_length, _counted(model, card, pool_args)
    if model.kv_cache_memory is not None:
        terms.append(Term(label=STATED_CACHE, bytes=model.kv_cache_memory.bytes))
    elif known is None:
        notes.append(f"{model.name}: the cost of its context is not known, so only its weights are checked")
    elif length is not None:
        label = f"{CACHE} for one sequence of {length} tokens"
        terms.append(Term(label=label, bytes=counted.of(known.shape, length)))
    draft = model.speculative.model if model.speculative else None
    if draft is not None:
        found = catalogue.known(parse_source(draft))
        if found is None:
            notes.append(f"{model.name}: the size of its draft model {draft} is not known, so it is not counted")
        else:
            cache = counted.of(found.shape, length) if length is not None else 0
            terms.append(Term(label="draft model", bytes=-(-found.weights // cards) + cache))
    kept, unknown = adapters.needs(model, known)
    return (*terms, *kept), (*notes, *unknown)
