"""What one streamed token costs the gateway when it translates vLLM's chat into Ollama's.

Prints microseconds per chunk for the translator, for the bare codec, and for the same work done plainly with the json
module, so that the ratio holds on any machine. Run: python bench/translate.py [chunks]
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from modelpool_sidecar.dialects import sse
from modelpool_sidecar.translation import Backend, Exchange, Timings, Translation, translate

CHUNK = {
    "id": "chatcmpl-b05ad4b3b88b39a9",
    "object": "chat.completion.chunk",
    "created": 1795356143,
    "model": "qwen3:8b",
    "choices": [
        {"index": 0, "delta": {"content": " token"}, "logprobs": None, "finish_reason": None, "token_ids": None}
    ],
}
RAW = b"data: " + json.dumps(CHUNK, separators=(",", ":")).encode() + b"\n\n"
REQUEST = b'{"model":"qwen3:8b","messages":[{"role":"user","content":"hello"}]}'
ROUNDS = 5


def translator(count: int) -> None:
    """The translator, one network read per token."""
    exchange = translate(Translation.CHAT, REQUEST, Backend(model="qwen3:8b"), epoch_ns=0)
    assert isinstance(exchange, Exchange)
    reply = exchange.open(Timings(epoch_ns=time.time_ns(), started_ns=0, dispatched_ns=0))
    for now in range(count):
        reply.feed(RAW, now)


def codec(count: int) -> None:
    """Only the events, without their JSON."""
    decoder = sse.Decoder()
    for _ in range(count):
        decoder.feed(RAW)


def plain(count: int) -> None:
    """The shortest code that does the same for this one chunk, with the json module."""
    for now in range(count):
        chunk = json.loads(RAW[6:])
        created = datetime.fromtimestamp(now, UTC).isoformat()
        message = {"role": "assistant", "content": chunk["choices"][0]["delta"]["content"]}
        line = {"model": "qwen3:8b", "created_at": created, "message": message, "done": False}
        (json.dumps(line, separators=(",", ":")) + "\n").encode()


def microseconds(work: Callable[[int], None], count: int) -> float:
    """The best of several rounds, per chunk."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work(count)
        best = min(best, time.perf_counter() - begun)
    return best / count * 1e6


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    figures = {work.__name__: microseconds(work, count) for work in (translator, codec, plain)}
    for name, figure in figures.items():
        print(f"{name:<12}{figure:8.2f} us per chunk")
    print(f"{'ratio':<12}{figures['plain'] / figures['translator']:8.2f} x the json module's speed")


if __name__ == "__main__":
    main()
