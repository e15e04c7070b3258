"""The differences between the gateway and an engine that are known and meant, each with its reason.

A run fails on any other, and on an explanation that explains nothing any more. `page` is docs/reference/differences.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Pair(Enum):
    """Which engine the gateway is held against, and how the call reaches it."""

    TRANSLATED = "ollama over vllm"
    """Ollama's dialect: a real Ollama, and the gateway with a real vLLM behind."""
    VLLM = "vllm passed on"
    OLLAMA = "ollama passed on"
    CLIENT = "official client"
    """What a client library makes of the translated answers."""
    WEIGHTS = "published weights"
    """Ollama's dialect with published models: a real Ollama, and the gateway with a real vLLM behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One known difference. `calls` and `where` are patterns that must match the whole text."""

    title: str
    reason: str
    where: str
    calls: str = ".*"
    pairs: tuple[Pair, ...] = (Pair.TRANSLATED,)


_ALL_OLLAMA: Final = (Pair.TRANSLATED, Pair.CLIENT)
_OVER_VLLM: Final = (Pair.TRANSLATED, Pair.WEIGHTS)

KNOWN: Final[tuple[Explanation, ...]] = (
    Explanation(
        title="`context` is absent from `/api/generate`",
        reason="It holds the tokens of Ollama's runner; vLLM gives none, and `/api/chat` has replaced it.",
        calls=r"generate.*",
        where=r"((lines|last)\[\d+\]\.|last\.)?context",
        pairs=_ALL_OLLAMA,
    ),
    Explanation(
        title="`/api/generate` with `think` parts the thinking from the response",
        reason="Ollama does so for models that it renders itself, and leaves the tags in the text of the others.",
        calls=r"generate: think(, stream)?",
        where=r"lines.*|texts\..*|response|thinking",
    ),
    Explanation(
        title="Tool calls come in a line of their own, before the last",
        reason="So does Ollama for the models that it renders itself; for the others they are in the last line.",
        calls=r"chat: tools, stream",
        where=r"lines\[\d+\]\.message\.tool_calls|last\[0\]\.message\.tool_calls",
    ),
    Explanation(
        title="No white space before the answer of the test's model",
        reason="llama.cpp takes some of the white space that ends this model's prompt for a part of the answer.",
        calls=r"chat(:|,) (tools|endless, cut)(, stream)?",
        where=r"lines\[\d+\]\.message\.content|texts\.content|message\.content",
        pairs=_ALL_OLLAMA,
    ),
    Explanation(
        title="An alternative token that is no text is empty in `top_logprobs`",
        reason="vLLM reports it so; llama.cpp writes U+FFFD.",
        calls=r"chat: top_logprobs(, stream)?",
        where=r"(lines\[\d+\]\.)?logprobs.*top_logprobs.*",
    ),
    Explanation(
        title="`/api/tags` and `/api/ps` describe a vLLM model as its pool does, and list aliases too",
        reason="Its weights are no GGUF file, and what the pool does not know is absent. Ollama describes its own.",
        calls=r"GET /api/tags|GET /api/ps|ps after load",
        where=r"models\[.*",
    ),
    Explanation(
        title="`HEAD` is answered wherever `GET` is",
        reason="Ollama refuses it on some paths; nobody is helped by that.",
        calls=r"HEAD /api/ps",
        where=r"status|content-type|header allow",
    ),
    Explanation(
        title="`/api/show` of a vLLM model has a template of variables, and neither tensors nor a GGUF file's header",
        reason="vLLM makes the prompt; the variables say what the model can do, and `model_info` what is known.",
        calls=r"show.*",
        where=r"modelfile|parameters|template|tensors|(model_info|details)\..*|capabilities.*|.* order of keys",
    ),
    Explanation(
        title="Longer documents have a Content-Length",
        reason="Go sends what exceeds 2 KiB in chunks; the gateway has the whole document and says its length.",
        calls=r"show.*|embed: .*",
        where=r"framing",
        pairs=_OVER_VLLM,
    ),
    Explanation(
        title="A text that is cut for embedding fills the context to the last token",
        reason="Ollama leaves room for two tokens that not every tokenizer adds.",
        calls=r"embed: too long, cut",
        where=r"prompt_eval_count",
    ),
    Explanation(
        title="A text of an Indic script may be some tokens longer for an embedding model",
        reason="llama.cpp's way to cut words leaves out some vowel signs, which the model's own tokenizer keeps.",
        calls=r"embed: many",
        where=r"prompt_eval_count",
        pairs=(Pair.WEIGHTS,),
    ),
    Explanation(
        title="A refusal of tools names the model as it was asked for",
        reason="Ollama names the registry as well, which no pool has.",
        calls=r"chat: tools that the template lacks(, stream)?",
        where=r"error",
        pairs=(Pair.WEIGHTS,),
    ),
    Explanation(
        title="`repeat_last_n: -1` is taken",
        reason="Ollama's documentation has it for the whole context; the runner of this release refuses it.",
        calls=r"option: repeat_last_n=-1",
        where=r".*",
        pairs=(Pair.WEIGHTS,),
    ),
    Explanation(
        title="A prompt that is too long is refused in the words of Ollama 0.33's runner",
        reason="Ollama quotes its runner, in another form with each release; both name the numbers.",
        calls=r"fault: too long(, stream)?|(chat|generate): .* not cut(, stream)?",
        where=r"error",
        pairs=_OVER_VLLM,
    ),
    Explanation(
        title="A refusal instead of a stream is a JSON document like all others",
        reason="Ollama leaves out the charset there and sends it in chunks.",
        calls=r"fault: (too long, stream|unknown format)|(chat|generate): .* not cut, stream",
        where=r"content-type|framing",
        pairs=_OVER_VLLM,
    ),
    Explanation(
        title="An image for a model without vision is refused with 400, before its bytes are looked at",
        reason="The pool says what a model can do; Ollama answers 500 when its runner has failed.",
        calls=r"fault: (broken )?image",
        where=r"status|error",
    ),
    Explanation(
        title="A body that is no JSON is refused by the gateway",
        reason="It must read the model's name to know where to send the request; the engine never sees it.",
        calls=r"broken JSON after the model",
        where=r"content-type|header vary|error\..*",
        pairs=(Pair.VLLM, Pair.OLLAMA),
    ),
    Explanation(
        title="An image for a model without vision is refused by the gateway",
        reason="The pool says what a model can do, and a fallback must not be asked what the model cannot do.",
        calls=r"image",
        where=r"status|content-type|header vary|error\..*",
        pairs=(Pair.VLLM, Pair.OLLAMA),
    ),
)


def explaining(pair: Pair, call: str, where: str) -> tuple[Explanation, ...]:
    """The explanations of this difference."""
    return tuple(
        one for one in KNOWN if pair in one.pairs and re.fullmatch(one.calls, call) and re.fullmatch(one.where, where)
    )


def page() -> str:
    """The reference page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Where the gateway differs from the engines"
    yield ""
    yield (
        "`make test-engines` sends the same calls to a real Ollama, to a real vLLM, and through the gateway. It\n"
        "compares status, headers, framing, order and type of every field, and values: both engines run the same\n"
        "weights without chance. With published models it compares all but the words that the model chose. These\n"
        "differences are known and meant; any other fails the run. The page is made\n"
        "from the table that the run uses. Not listed: every answer of the gateway also carries `X-Request-Id`, those\n"
        "of engines `X-ModelPool-*`, and streams `X-Accel-Buffering: no`, so that no proxy on the way holds them back."
    )
    for pair in Pair:
        known = [one for one in KNOWN if pair in one.pairs]
        if not known:
            continue
        yield ""
        yield f"## {_TITLES[pair]}"
        yield ""
        yield "| what | why |"
        yield "|---|---|"
        yield from (f"| {one.title} | {one.reason} |" for one in known)


_TITLES: Final = {
    Pair.TRANSLATED: "Ollama's API over vLLM, against a real Ollama",
    Pair.VLLM: "OpenAI's and Anthropic's API, against the vLLM behind",
    Pair.OLLAMA: "Both APIs, against the Ollama behind",
    Pair.CLIENT: "What Ollama's Python client returns",
    Pair.WEIGHTS: "Ollama's API over vLLM, against a real Ollama, with published models",
}
