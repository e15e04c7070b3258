"""Every field of Ollama's calls and what becomes of it in front of vLLM. The documentation is written from this table.

Each row holds an example, so that the table can be tried: `test_fields` does, and is the proof of the documentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from modelpool_sidecar.translation import Translation, option_values, options
from modelpool_sidecar.translation.options import Kind

PIXEL: Final = "iVBORw0KGgo="


class Verdict(StrEnum):
    """What the gateway does with a field."""

    MAPPED = "mapped"
    CHECKED = "checked"
    ANSWERED = "answered"
    """The gateway itself does what is asked."""
    DROPPED = "dropped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of one call."""

    call: Translation
    name: str
    example: Mapping[str, Any]
    """The fields to send beside the model."""
    verdict: Verdict
    becomes: Mapping[str, Any] = field(default_factory=dict)
    """What vLLM is asked; compared with its body."""
    path: str = ""
    """The call of vLLM, where the field decides it."""
    note: str = ""
    status: int = 400
    """Of a refusal."""

    @property
    def id(self) -> str:
        """The test's parameter."""
        return f"{self.call.value.rpartition('/')[2]}.{self.name}"


USER: Final = {"role": "user", "content": "hi"}
FUNCTION: Final = {"type": "function", "function": {"name": "f", "parameters": {}}}
SCHEMA: Final = {"type": "object"}
FORMAT: Final = {"type": "json_schema", "json_schema": {"name": "format", "schema": SCHEMA}}
MAPPED, DROPPED, REFUSED, ANSWERED = Verdict.MAPPED, Verdict.DROPPED, Verdict.REFUSED, Verdict.ANSWERED
_CHECKED: Final = "against the real context length; told in the warning when it is another"
_SAMPLING: Final = "as the model's own parameters say, else as Ollama's defaults: 0.8, 40 and 0.9"
_EXAMPLES: Final[Mapping[Kind, Any]] = {Kind.INTEGER: 7, Kind.FLOAT: 0.5, Kind.BOOLEAN: True, Kind.STRINGS: ["x"]}
_NEEDED: Final[Mapping[Translation, Mapping[str, Any]]] = {
    Translation.CHAT: {"messages": [USER]},
    Translation.GENERATE: {"prompt": "hi"},
    Translation.EMBED: {"input": "hi"},
    Translation.EMBEDDING: {"prompt": "hi"},
}


def needed(call: Translation) -> Mapping[str, Any]:
    """What a call cannot do without."""
    return _NEEDED[call]


def _chat() -> list[Field]:
    def row(name: str, *messages: dict[str, Any], becomes: Any, note: str = "", place: int = 0) -> Field:
        call, sent = Translation.CHAT, {"messages": list(messages)}
        return Field(
            call=call, name=name, example=sent, verdict=MAPPED, becomes={f"messages.{place}": becomes}, note=note
        )

    call = {"id": "call_1", "function": {"name": "f", "arguments": {"a": 1}}}
    wire = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    asked = {"role": "assistant", "content": "", "tool_calls": [call]}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    return [
        row("messages[].role, content", USER, becomes=USER),
        row(
            "messages[].thinking",
            {"role": "assistant", "content": "x", "thinking": "t"},
            becomes={"role": "assistant", "content": "x", "reasoning_content": "t"},
        ),
        row(
            "messages[].images",
            USER | {"images": [PIXEL]},
            becomes={"role": "user", "content": [{"type": "text", "text": "hi"}, image]},
            note="type read from the first bytes; PNG, JPEG, GIF, WebP",
        ),
        row(
            "messages[].tool_calls",
            asked,
            becomes={"role": "assistant", "content": "", "tool_calls": [wire]},
            note="arguments: an object becomes JSON text; an id that is missing is made",
        ),
        row(
            "messages[].tool_name",
            asked,
            {"role": "tool", "content": "2", "tool_name": "f"},
            becomes={"role": "tool", "content": "2", "tool_call_id": "call_1", "name": "f"},
            place=1,
            note="finds the id of the call that is answered",
        ),
        row(
            "messages[].tool_call_id",
            {"role": "tool", "content": "2", "tool_call_id": "call_9"},
            becomes={"role": "tool", "content": "2", "tool_call_id": "call_9"},
        ),
        Field(
            call=Translation.CHAT,
            name="messages: []",
            example={"messages": []},
            verdict=ANSWERED,
            note="done_reason `load`, or `unload` with keep_alive 0; the model stays where it is",
        ),
        Field(
            call=Translation.CHAT,
            name="tools",
            example={"tools": [FUNCTION]},
            verdict=MAPPED,
            becomes={"tools": [FUNCTION]},
        ),
    ]


def _generate() -> list[Field]:
    def row(name: str, verdict: Verdict, **more: Any) -> Field:
        return Field(call=Translation.GENERATE, name=name, verdict=verdict, **more)

    completions = "/v1/completions"
    return [
        row("prompt", MAPPED, example={"prompt": "hi"}, becomes={"messages": [USER]}, path="/v1/chat/completions"),
        row("prompt: ''", ANSWERED, example={"prompt": ""}, note="done_reason `load`, or `unload` with keep_alive 0"),
        row(
            "system",
            MAPPED,
            example={"system": "s"},
            becomes={"messages": [{"role": "system", "content": "s"}, USER]},
        ),
        row(
            "images",
            MAPPED,
            example={"images": [PIXEL], "prompt": "hi"},
            becomes={
                "messages.0": {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "hi"},
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                    ],
                }
            },
        ),
        row("raw", MAPPED, example={"raw": True}, becomes={"prompt": "hi"}, path=completions, note="no template"),
        row(
            "suffix",
            MAPPED,
            example={"suffix": "end"},
            becomes={"prompt": "hi", "suffix": "end"},
            path=completions,
            note="vLLM refuses it for models that cannot fill in",
        ),
        row(
            "template", REFUSED, example={"template": "{{ .Prompt }}"}, note="the engine's template cannot be replaced"
        ),
        row("context", DROPPED, example={"context": [1, 2]}, note="tokens of another engine; told in the warning"),
        row("raw with system", REFUSED, example={"raw": True, "system": "s"}, note="as by Ollama"),
    ]


_TRUNCATE: Final = {
    Translation.CHAT: "unless false, what does not fit loses its oldest turns, as `X-ModelPool-Warning` says",
    Translation.GENERATE: "a prompt that does not fit is refused either way",
}
_OPTION_NOTES: Final = {
    "num_predict": "a bound: left out where the context has no room for it, told in the warning",
    "temperature": "at most 2, told in the warning",
    "top_k": "0 and below: off",
    "seed": "its lowest 32 bits, as llama.cpp takes it; -1: none",
    "min_p": "0 to 1, beyond as there",
    "stop": "more than four are looked for by the gateway",
    "repeat_penalty": "over all tokens, not the last 64; 0 and below: off",
    "presence_penalty": "-2 to 2, told in the warning",
    "frequency_penalty": "-2 to 2, told in the warning",
}


def _prompted(call: Translation) -> list[Field]:
    """What chat and generate share."""

    def row(name: str, verdict: Verdict, **more: Any) -> Field:
        return Field(call=call, name=name, verdict=verdict, **more)

    def thinks(on: bool) -> dict[str, Any]:
        return {"chat_template_kwargs": {"enable_thinking": on}}

    return [
        row(
            "stream",
            ANSWERED,
            example={"stream": False},
            becomes={"stream": True},
            note="the engine streams, but for tools",
        ),
        row("format: json", MAPPED, example={"format": "json"}, becomes={"response_format": {"type": "json_object"}}),
        row("format: {schema}", MAPPED, example={"format": SCHEMA}, becomes={"response_format": FORMAT}),
        row("format: other", REFUSED, example={"format": "yaml"}, status=500, note="as by Ollama"),
        row("think: true", MAPPED, example={"think": True}, becomes=thinks(True)),
        row("think: false", MAPPED, example={"think": False}, becomes=thinks(False)),
        row("think: level", MAPPED, example={"think": "high"}, becomes=thinks(True) | {"reasoning_effort": "high"}),
        row("think: other", REFUSED, example={"think": "extreme"}, note="as by Ollama"),
        row("logprobs", MAPPED, example={"logprobs": True}, becomes={"logprobs": True}),
        row("top_logprobs", MAPPED, example={"logprobs": True, "top_logprobs": 2}, becomes={"top_logprobs": 2}),
        row("keep_alive", ANSWERED, example={"keep_alive": "5m"}, note="a vLLM model stays; read for load and unload"),
        row("truncate", ANSWERED, example={"truncate": False}, note=_TRUNCATE[call]),
        row("shift", DROPPED, example={"shift": True}, note="vLLM stops when the context is full"),
        row("any other field", DROPPED, example={"no_such_field": 1}, note="as by Ollama"),
        row("options: {}", MAPPED, example={"options": {}}, becomes=option_values.DEFAULTS, note=_SAMPLING),
        *(_option(call, option) for option in options.TABLE),
        row("options.unknown", DROPPED, example={"options": {"no_such_option": 1}}, note="told in the warning"),
    ]


def _option(call: Translation, option: options.Option) -> Field:
    example = _EXAMPLES[option.kind]
    verdict = {
        options.Verdict.SENT: Verdict.MAPPED,
        options.Verdict.CHECKED: Verdict.CHECKED,
        options.Verdict.DROPPED: Verdict.DROPPED,
    }[option.verdict]
    note = {
        Verdict.CHECKED: _CHECKED,
        Verdict.DROPPED: "told in the warning",
    }.get(verdict, _OPTION_NOTES.get(option.name, ""))
    becomes = {option.target: example} if option.target else {}
    return Field(
        call=call,
        name=f"options.{option.name}",
        example={"options": {option.name: example}},
        verdict=verdict,
        becomes=becomes,
        note=note,
    )


def _embed() -> list[Field]:
    def row(name: str, verdict: Verdict, **more: Any) -> Field:
        return Field(call=Translation.EMBED, name=name, verdict=verdict, path="/v1/embeddings", **more)

    return [
        row("input: text", MAPPED, example={"input": "a"}, becomes={"input": ["a"]}),
        row("input: texts", MAPPED, example={"input": ["a", "b"]}, becomes={"input": ["a", "b"]}),
        row("input: []", ANSWERED, example={"input": []}, note="no vectors, and no engine is asked"),
        row("truncate: true", MAPPED, example={"truncate": True}, becomes={"truncate_prompt_tokens": -1}),
        row(
            "truncate: false", MAPPED, example={"truncate": False}, note="nothing is cut: vLLM refuses what is too long"
        ),
        row(
            "dimensions",
            ANSWERED,
            example={"dimensions": 4},
            note="the gateway cuts vectors, as Ollama does of any model",
        ),
        row(
            "options.num_ctx",
            Verdict.CHECKED,
            example={"options": {"num_ctx": 5}},
            note="texts are cut to a smaller one, or refused with `truncate: false`; a larger is told in the warning",
        ),
        row("options", DROPPED, example={"options": {"top_k": 5}}, note="no other concerns an embedding"),
        row("keep_alive", DROPPED, example={"keep_alive": 5}, note="a vLLM model stays"),
    ]


def _embedding() -> list[Field]:
    def row(name: str, verdict: Verdict, **more: Any) -> Field:
        return Field(call=Translation.EMBEDDING, name=name, verdict=verdict, path="/v1/embeddings", **more)

    return [
        row("prompt", MAPPED, example={"prompt": "a"}, becomes={"input": "a"}),
        row("prompt: ''", ANSWERED, example={"prompt": ""}, note="no vector, and no engine is asked"),
        row("options.num_ctx", Verdict.CHECKED, example={"options": {"num_ctx": 5}}, note=_CHECKED),
        row("options", DROPPED, example={"options": {"top_k": 5}}, note="no other concerns an embedding"),
        row("keep_alive", DROPPED, example={"keep_alive": 5}, note="a vLLM model stays"),
    ]


FIELDS: Final = (
    *_chat(),
    *_prompted(Translation.CHAT),
    *_generate(),
    *_prompted(Translation.GENERATE),
    *_embed(),
    *_embedding(),
)
