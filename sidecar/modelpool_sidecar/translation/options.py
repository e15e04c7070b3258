"""What generate and chat ask of the engine in the same way: options, format, thinking, logprobs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

import msgspec

from ..dialects import go_json
from ..dialects.quoting import cut
from ..http.errors import BadRequestError
from . import option_values
from .exchange import Backend
from .ollama_requests import Prompted


class Kind(Enum):
    """The type Ollama demands, as its error message names it."""

    INTEGER = "integer"
    FLOAT = "float32"
    BOOLEAN = "boolean"
    STRINGS = "array"


class Verdict(Enum):
    """What is done with an option."""

    SENT = "sent"
    CHECKED = "checked"
    """Compared with what the engine was started with."""
    DROPPED = "dropped"
    """Has no meaning for vLLM, or belongs to the start of the engine, which the pool decides."""


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table."""

    name: str
    kind: Kind
    verdict: Verdict
    target: str = ""
    """The vLLM parameter."""
    convert: Callable[[float], float | None] = lambda value: value
    """From Ollama's value to vLLM's where the two disagree about an edge; None means the engine's default."""


TABLE: Final = (
    Option("num_predict", Kind.INTEGER, Verdict.SENT, "max_tokens", option_values.positive),  # -1 and -2: no limit
    Option("temperature", Kind.FLOAT, Verdict.SENT, "temperature", option_values.temperature),
    Option("top_k", Kind.INTEGER, Verdict.SENT, "top_k", option_values.top_k),
    Option("top_p", Kind.FLOAT, Verdict.SENT, "top_p", option_values.top_p),
    Option("min_p", Kind.FLOAT, Verdict.SENT, "min_p", option_values.min_p),
    Option("seed", Kind.INTEGER, Verdict.SENT, "seed", option_values.seed),
    Option("stop", Kind.STRINGS, Verdict.SENT, "stop"),
    Option(
        "repeat_penalty", Kind.FLOAT, Verdict.SENT, "repetition_penalty", option_values.positive
    ),  # over all tokens, not the last 64
    Option("presence_penalty", Kind.FLOAT, Verdict.SENT, "presence_penalty", option_values.penalty),
    Option("frequency_penalty", Kind.FLOAT, Verdict.SENT, "frequency_penalty", option_values.penalty),
    Option("num_ctx", Kind.INTEGER, Verdict.CHECKED),
    Option("typical_p", Kind.FLOAT, Verdict.DROPPED),
    Option("tfs_z", Kind.FLOAT, Verdict.DROPPED),
    Option("repeat_last_n", Kind.INTEGER, Verdict.DROPPED),
    Option("penalize_newline", Kind.BOOLEAN, Verdict.DROPPED),
    Option("mirostat", Kind.INTEGER, Verdict.DROPPED),
    Option("mirostat_tau", Kind.FLOAT, Verdict.DROPPED),
    Option("mirostat_eta", Kind.FLOAT, Verdict.DROPPED),
    Option("num_keep", Kind.INTEGER, Verdict.DROPPED),
    Option("draft_num_predict", Kind.INTEGER, Verdict.DROPPED),
    Option("num_batch", Kind.INTEGER, Verdict.DROPPED),
    Option("num_gpu", Kind.INTEGER, Verdict.DROPPED),
    Option("main_gpu", Kind.INTEGER, Verdict.DROPPED),
    Option("num_thread", Kind.INTEGER, Verdict.DROPPED),
    Option("numa", Kind.BOOLEAN, Verdict.DROPPED),
    Option("low_vram", Kind.BOOLEAN, Verdict.DROPPED),
    Option("f16_kv", Kind.BOOLEAN, Verdict.DROPPED),
    Option("logits_all", Kind.BOOLEAN, Verdict.DROPPED),
    Option("vocab_only", Kind.BOOLEAN, Verdict.DROPPED),
    Option("use_mmap", Kind.BOOLEAN, Verdict.DROPPED),
    Option("use_mlock", Kind.BOOLEAN, Verdict.DROPPED),
)
_MOST_WARNINGS: Final = 2 * len(TABLE)
"""Unknown options beyond it are dropped without a word."""
_LEAST_CONTEXT: Final = 4
"""Tokens: Ollama gives no model less."""
_BY_NAME: Final = {option.name: option for option in TABLE}


def sampling(options: Mapping[str, object], context_length: int | None) -> tuple[dict[str, object], tuple[str, ...]]:
    """vLLM's parameters for these options, and a sentence for each that is not passed on.

    Raises BadRequestError with status 500, as Ollama answers, when a value has the wrong type. An unknown option is
    ignored, as by Ollama.
    """
    params: dict[str, object] = {}
    warnings: list[str] = []
    for name, value in options.items():
        option = _BY_NAME.get(name)
        if option is None:
            if len(warnings) < _MOST_WARNINGS:
                warnings.append(f"option '{cut(name)}' is not known")
            continue
        if value is None:
            continue
        number = _checked(option, value)
        match option.verdict:
            case Verdict.SENT if option.kind is Kind.STRINGS:
                params.update(_stop(option, value))
            case Verdict.SENT:
                converted = option.convert(number)
                if converted is not None:
                    params[option.target] = int(converted) if option.kind is Kind.INTEGER else converted
                    if converted != number and (
                        warning := option_values.beyond(name, number, converted, option.target)
                    ):
                        warnings.append(warning)
            case Verdict.CHECKED:
                warnings.extend(context_warnings(number, context_length))
            case Verdict.DROPPED:
                warnings.append(f"option '{name}' has no effect on this engine")
            case _:
                assert_never(option.verdict)
    _cap(params, context_length)
    return params, tuple(warnings)


def num_ctx(options: Mapping[str, object] | None) -> int | None:
    """The context that is asked for, in tokens, or None. Raises BadRequestError when it is no number."""
    value = options.get("num_ctx") if options else None
    return None if value is None else max(_LEAST_CONTEXT, int(_checked(_BY_NAME["num_ctx"], value)))


def context_warnings(num_ctx: float, context_length: int | None) -> tuple[str, ...]:
    """What to say of a context that is asked for and is not the one that the model is served with."""
    if context_length is None or num_ctx == context_length:
        return ()
    return (f"num_ctx is {int(num_ctx)}, the model is served with {context_length} tokens",)


def _cap(params: dict[str, object], context_length: int | None) -> None:
    """VLLM refuses what can never fit; Ollama takes any number and stops when full, which is vLLM's default."""
    limit = params.get("max_tokens")
    if isinstance(limit, int) and context_length is not None and limit >= context_length:
        del params["max_tokens"]


def _checked(option: Option, value: object) -> float:
    """The value as a number, 0 where it is none. Raises BadRequestError."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        Kind.INTEGER: number,
        Kind.FLOAT: number,
        Kind.BOOLEAN: isinstance(value, bool),
        Kind.STRINGS: isinstance(value, list),
    }[option.kind]
    if not fits:
        raise BadRequestError(f'option "{option.name}" must be of type {option.kind.value}', status=500)
    if not isinstance(value, int | float):
        return 0.0
    if -option_values.EXACT <= value <= option_values.EXACT:  # nearly always
        return int(value) if option.kind is Kind.INTEGER else value
    given = option_values.number(value)
    return option_values.whole(given) if option.kind is Kind.INTEGER else option_values.single(given)


def _stop(option: Option, value: object) -> dict[str, object]:
    texts = value if isinstance(value, list) else []
    if not all(isinstance(text, str) for text in texts):
        raise BadRequestError(f'option "{option.name}" must be of an array of strings', status=500)
    kept = [text for text in texts if text]  # vLLM refuses an empty one
    return {option.target: kept} if kept else {}


_MOST_REMEMBERED: Final = 4096
_unasked: Final[dict[int, tuple[Mapping[str, object], int | None, dict[str, object]]]] = {}
"""The engine's parameters where a request has no options, by the identity of the model's own, with these and with the
model's context. Most requests have none, and to work it out takes longer than to read them."""
_LEVELS: Final = ("low", "medium", "high", "max")
_MAX_TOP_LOGPROBS: Final = 20
_NO_WARNINGS: Final[tuple[str, ...]] = ()


def parameters(request: Prompted, backend: Backend) -> tuple[dict[str, object], tuple[str, ...]]:
    """The engine's parameters that every prompt may carry, and what was not passed on. Raises BadRequestError."""
    own, context_length, warnings = backend.parameters, backend.context_length, _NO_WARNINGS
    if request.options:
        sampled, warnings = sampling(option_values.merged(request.options, own), context_length)
    else:
        sampled = _sampling_of(own, context_length)
    stream: Mapping[str, object] = {"stream": True, "stream_options": {"include_usage": True}}
    return {"model": backend.model, **stream, **sampled, **_format(request.format)}, warnings


def _sampling_of(own: Mapping[str, object], context_length: int | None) -> dict[str, object]:
    """What the engine is asked where a request has no options. Not to be changed."""
    known = _unasked.get(id(own))
    if known is None or known[0] is not own or known[1] != context_length:
        if len(_unasked) >= _MOST_REMEMBERED:
            _unasked.clear()
        params, _ = sampling(option_values.merged(None, own), context_length)
        known = _unasked[id(own)] = own, context_length, params
    return known[2]


def thinking(request: Prompted, backend: Backend) -> dict[str, object]:
    """How vLLM is told to think or not; nothing when the caller leaves it to the model. Raises BadRequestError."""
    think = request.think
    if think is None or think == "":
        return {}
    if isinstance(think, str) and think not in _LEVELS:
        raise BadRequestError(
            f'invalid think value: "{cut(think)}" (must be "high", "medium", "low", "max", true, or false)'
        )
    if think is False and backend.lacks("thinking"):
        return {}
    if backend.lacks("thinking"):
        raise BadRequestError(f'"{request.model}" does not support thinking')
    asked: dict[str, object] = {"chat_template_kwargs": {"enable_thinking": think is not False}}
    if isinstance(think, str):
        asked["reasoning_effort"] = think
    return asked


def logprobs(request: Prompted) -> int | None:
    """How many alternatives to report beside each token; None when none is asked for. Raises BadRequestError."""
    count = request.top_logprobs or 0
    if not 0 <= count <= _MAX_TOP_LOGPROBS:
        raise BadRequestError(f"top_logprobs must be between 0 and {_MAX_TOP_LOGPROBS}")
    return count if request.logprobs else None


def _format(raw: msgspec.Raw) -> dict[str, object]:
    text = bytes(raw).strip()
    if text in (b"", b"null", b'""'):
        return {}
    if text == b'"json"':
        return {"response_format": {"type": "json_object"}}
    if text.startswith(b"{"):
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "format", "schema": raw}}}
    quoted = go_json.encode(cut(text.decode())).decode()
    raise BadRequestError(f'invalid format: {quoted}; expected "json" or a valid JSON Schema object', status=500)
