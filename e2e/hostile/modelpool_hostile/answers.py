"""What an engine that behaves says: bytes of whole answers, in each dialect. Pure."""

import json
from typing import Any, Final

EVENTS: Final = "text/event-stream"
LINES: Final = "application/x-ndjson"
JSON: Final = "application/json"
_WORD: Final = "word "
HEALTH: Final = ("/health", "/api/version", "/api/tags")


def head(kind: str, *, length: int | None = None, status: str = "200 OK", more: str = "") -> bytes:
    """The head of an answer; chunked without a length."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{framing}\r\n{more}\r\n".encode()


def whole(body: bytes, kind: str = JSON, *, status: str = "200 OK", more: str = "") -> bytes:
    """A document with its length."""
    return head(kind, length=len(body), status=status, more=more) + body


def chunk(data: bytes) -> bytes:
    """One chunk of HTTP/1.1."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST: Final = b"0\r\n\r\n"


def event(told: object, name: str = "") -> bytes:
    """One server-sent event."""
    said = told if isinstance(told, str) else json.dumps(told, separators=(",", ":"))
    return (f"event: {name}\n" if name else "").encode() + b"data: " + said.encode() + b"\n\n"


def health(path: str, models: list[str]) -> bytes:
    """The answer to a probe."""
    return whole(json.dumps({"version": "0.12", "models": [{"name": name} for name in models]}).encode())


def openai_document(model: str, words: int) -> bytes:
    """A chat completion, whole."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": _WORD * words}}
    usage = {"prompt_tokens": 3, "completion_tokens": words, "total_tokens": words + 3}
    told = {"id": "c-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": usage}
    return json.dumps(told).encode()


def openai_event(model: str, text: str | None) -> bytes:
    """A piece of a chat completion; the last one without a text."""
    delta = {"content": text} if text is not None else {}
    choice = {"index": 0, "delta": delta, "finish_reason": None if text is not None else "stop"}
    return event({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]})


def pieces(path: str, model: str, words: int) -> list[bytes]:
    """A stream of so many words, as the call's dialect has it."""
    if path == "/v1/messages":
        return _anthropic_stream(model, words)
    if path.startswith("/api/"):
        key = {"message": {"role": "assistant", "content": _WORD}} if path == "/api/chat" else {"response": _WORD}
        line = {"model": model, "created_at": "2026-01-01T00:00:00Z", **key, "done": False}
        end = {**line, "done": True, "done_reason": "stop", "eval_count": words}
        return [json.dumps(one).encode() + b"\n" for one in (*[line] * words, end)]
    return [*[openai_event(model, _WORD)] * words, openai_event(model, None), event("[DONE]")]


def document(path: str, model: str, words: int) -> bytes:
    """A whole answer of so many words, as the call's dialect has it."""
    vector = [0.25] * min(words, 64)
    told: dict[str, Any]
    match path:
        case "/v1/messages":
            content = [{"type": "text", "text": _WORD * words}]
            told = {"id": "m-1", "type": "message", "role": "assistant", "model": model, "content": content}
            told |= {"stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": words}}
        case "/v1/embeddings":
            data = [{"object": "embedding", "index": 0, "embedding": vector}]
            told = {"object": "list", "model": model, "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
        case "/api/embed":
            told = {"model": model, "embeddings": [vector]}
        case "/api/chat":
            message = {"role": "assistant", "content": _WORD * words}
            told = {"model": model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": True}
        case "/api/generate":
            told = {"model": model, "created_at": "2026-01-01T00:00:00Z", "response": _WORD * words, "done": True}
        case _:
            return openai_document(model, words)
    return json.dumps(told).encode()


def _anthropic_stream(model: str, words: int) -> list[bytes]:
    message = {"id": "m-1", "type": "message", "role": "assistant", "model": model, "content": []}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _WORD}}
    return [
        event({"type": "message_start", "message": message}, "message_start"),
        *[event(delta, "content_block_delta")] * words,
        event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, "message_delta"),
        event({"type": "message_stop"}, "message_stop"),
    ]


def kind_of(path: str, *, stream: bool) -> str:
    """The type of what `pieces` or `document` give."""
    if not stream:
        return JSON
    return LINES if path.startswith("/api/") else EVENTS
