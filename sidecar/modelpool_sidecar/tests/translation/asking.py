"""Shorthand for translated requests."""

import json
from typing import Any

from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.translation import Backend, Exchange, Timings, Translation, option_values, translate

EPOCH = 1795357231_123456789
STARTED = 5_000
DISPATCHED = 6_000
TIMINGS = Timings(epoch_ns=EPOCH, started_ns=STARTED, dispatched_ns=DISPATCHED)
BACKEND = Backend(model="Qwen/Qwen3-8B")


def exchange(call: Translation, body: Any, backend: Backend = BACKEND) -> Exchange:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = translate(call, raw, backend, epoch_ns=EPOCH)
    assert isinstance(found, Exchange), found
    return found


def answer(call: Translation, body: Any, backend: Backend = BACKEND) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = translate(call, raw, backend, epoch_ns=EPOCH)
    assert isinstance(found, Answer), found
    return found


def asked(call: Translation, body: Any, backend: Backend = BACKEND) -> dict[str, Any]:
    """What vLLM is asked, without what every request has, Ollama's defaults of sampling among it."""
    sent: dict[str, Any] = json.loads(exchange(call, body, backend).body)
    assert sent.pop("model") == backend.model
    assert sent.pop("stream") is True
    assert sent.pop("stream_options") == {"include_usage": True}
    return {name: value for name, value in sent.items() if option_values.DEFAULTS.get(name) != value}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "qwen3:8b", "messages": [{"role": "user", "content": "hi"}], **fields}


def prompt(**fields: Any) -> dict[str, Any]:
    return {"model": "qwen3:8b", "prompt": "hi", **fields}
