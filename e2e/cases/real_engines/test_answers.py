"""The same calls to the engines themselves and through the gateway: every difference is known, with its reason."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import ollama
import pytest

from modelpool_real_engines import calls, shapes
from modelpool_real_engines.answers import Call, send
from modelpool_real_engines.differences import Pair
from modelpool_real_engines.ledger import Entry, Ledger
from modelpool_real_engines.scene import Scene

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]


def _held(ledger: Ledger, pair: Pair, call: str, found: tuple[shapes.Difference, ...]) -> None:
    entry = Entry(pair=pair, call=call, found=found)
    ledger.add(entry)
    assert not entry.unexplained(), "\n".join(map(str, entry.unexplained()))


def _named(call: Call) -> str:
    return call.name


@pytest.mark.parametrize("call", calls.ollama(calls.CHAT, calls.EMBED), ids=_named)
def test_ollama_dialect_over_vllm(scene: Scene, ledger: Ledger, call: Call) -> None:
    found = shapes.differences(send(scene.ollama.url, call), send(scene.gateway.url, call))
    _held(ledger, Pair.TRANSLATED, call.name, found)


@pytest.mark.parametrize("call", [*calls.openai(calls.CHAT, None), *calls.anthropic(calls.CHAT)], ids=_named)
def test_vllm_passed_on(scene: Scene, ledger: Ledger, call: Call) -> None:
    found = shapes.differences(send(scene.vllm.url, call), send(scene.gateway.url, call))
    _held(ledger, Pair.VLLM, call.name, found)


@pytest.mark.parametrize(
    "call", [one for one in calls.openai(calls.EMBED, calls.EMBED) if "embed" in one.name], ids=_named
)
def test_vllm_embeddings_passed_on(scene: Scene, ledger: Ledger, call: Call) -> None:
    found = shapes.differences(send(scene.embedder.url, call), send(scene.gateway.url, call))
    _held(ledger, Pair.VLLM, call.name, found)


_ON_OLLAMA = [
    *calls.openai(calls.ON_OLLAMA, None),
    *(
        one
        for one in calls.ollama(calls.ON_OLLAMA, calls.EMBED)
        if one.name.startswith(("chat: ", "generate: ", "load"))
    ),
]


@pytest.mark.parametrize("call", _ON_OLLAMA, ids=_named)
def test_ollama_passed_on(scene: Scene, ledger: Ledger, call: Call) -> None:
    found = shapes.differences(send(scene.ollama.url, call), send(scene.gateway.url, call))
    _held(ledger, Pair.OLLAMA, call.name, found)


_SAY = [{"role": "user", "content": "Say something."}]
_WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
_CLIENT_CALLS: dict[str, Callable[[ollama.Client], Any]] = {
    "chat": lambda one: one.chat(calls.CHAT, _SAY, think=False),
    "chat, stream": lambda one: one.chat(calls.CHAT, _SAY, think=False, stream=True),
    "chat, think": lambda one: one.chat(calls.CHAT, _SAY, think=True),
    "chat, tools": lambda one: one.chat(calls.CHAT, _SAY, think=False, tools=[_WEATHER]),
    "chat, format": lambda one: one.chat(
        calls.CHAT, [{"role": "user", "content": "A document"}], think=False, format="json"
    ),
    "generate": lambda one: one.generate(calls.CHAT, "Say something.", think=False),
    "generate, stream": lambda one: one.generate(calls.CHAT, "Say something.", think=False, stream=True),
    "embed": lambda one: one.embed(calls.EMBED, ["rivers", "mills"]),
    "embeddings": lambda one: one.embeddings(calls.EMBED, "rivers"),
    "unknown model": lambda one: one.chat("nothing", _SAY),
}


@pytest.mark.parametrize("name", _CLIENT_CALLS)
def test_official_client(scene: Scene, ledger: Ledger, name: str) -> None:
    found = shapes.of_values(
        _through_client(scene.ollama.url, _CLIENT_CALLS[name]), _through_client(scene.gateway.url, _CLIENT_CALLS[name])
    )
    _held(ledger, Pair.CLIENT, name, found)


def _through_client(url: str, ask: Callable[[ollama.Client], Any]) -> Any:
    """What the client returns, as JSON; the text of a stream put together, its last part whole."""
    client = ollama.Client(url)
    try:
        got = ask(client)
        if not isinstance(got, Iterator):
            return json.loads(got.model_dump_json())
        parts = [json.loads(part.model_dump_json()) for part in got]
    except ollama.ResponseError as error:
        return {"error": error.error, "status": error.status_code}
    finally:
        client.close()
    texts = [(part.get("message") or {}).get("content") or part.get("response") or "" for part in parts]
    return {"text": "".join(texts), "last": parts[-1]}
