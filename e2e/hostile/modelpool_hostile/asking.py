"""Requests as bytes, and what a refusal must look like. Pure but for what a caller is asked to send."""

import json
from typing import Any, Final

from .wire import Answer, NotHeldError

DIALECTS: Final = {"ollama": "/api/chat", "openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
HOST: Final = "127.0.0.1"
_GIVEN_AWAY: Final = (b"Traceback", b"aiohttp", b"Python/", b"<html", b".py")
_LONGEST: Final = 4096


def chat(model: str, *, stream: bool = False, words: int = 3, **more: Any) -> dict[str, Any]:
    """A chat that every dialect reads."""
    told = {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": stream}
    return told | {"max_tokens": words, "options": {"num_predict": words}} | more


def request(
    path: str, body: bytes | dict[str, Any] | None = None, *lines: str | bytes, method: str = "", host: str = HOST
) -> bytes:
    """A request with its length; further header lines as they are."""
    told = json.dumps(body).encode() if isinstance(body, dict) else body
    given = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    if told is not None:
        given += [b"Content-Type: application/json", b"Content-Length: %d" % len(told)]
    verb = method or ("GET" if told is None else "POST")
    first = f"{verb} {path} HTTP/1.1".encode("utf-8", "surrogateescape")
    return b"\r\n".join([first, b"Host: " + host.encode(), *given, b"", told or b""])


def open_request(path: str, *lines: str, method: str = "POST") -> bytes:
    """The head of a request whose framing the lines say."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {HOST}", *lines, "", ""]).encode("latin-1")


def dialect_of(path: str) -> str:
    """In which dialect a path is answered."""
    if path.startswith("/v1/messages"):
        return "anthropic"
    return "openai" if path.startswith(("/v1", "/v2")) else "ollama"


def expect(answer: Answer | None, *statuses: int, path: str = "", closed: bool = False) -> None:
    """Hold an answer to a set of statuses; `closed`: no answer is right, too; `path`: whose dialect it must speak.

    Raises NotHeldError.
    """
    if answer is None:
        if not closed:
            raise NotHeldError(f"closed without an answer; wanted {_listed(statuses)}")
        return
    if answer.status not in statuses:
        raise NotHeldError(f"{answer}; wanted {_listed(statuses)}")
    if not answer.whole:
        raise NotHeldError(f"{answer}; wanted it whole")
    if answer.status >= 400:
        expect_refusal(answer, dialect_of(path) if path else None)


def expect_refusal(answer: Answer, dialect: str | None) -> None:
    """Hold a refusal to its dialect, and to giving nothing away. Raises NotHeldError."""
    if len(answer.body) > _LONGEST or any(word in answer.body for word in _GIVEN_AWAY):
        raise NotHeldError(f"{answer}; wanted a short refusal in plain words")
    if "aiohttp" in answer.headers.get("server", ""):
        raise NotHeldError(f"{answer}; Server: {answer.headers['server']}")
    if dialect is not None and not _speaks(answer, dialect):
        raise NotHeldError(f"{answer}; wanted it in the dialect of {dialect}")


def _speaks(answer: Answer, dialect: str) -> bool:
    if dialect == "ollama" and answer.status in (404, 405) and b"error" not in answer.body:
        return answer.headers.get("content-type", "").startswith("text/plain")
    try:
        told = json.loads(answer.body)
    except ValueError:
        return False
    if not isinstance(told, dict):
        return False
    error = told.get("error")
    if dialect == "ollama":
        return isinstance(error, str)
    is_error = isinstance(error, dict) and isinstance(error.get("message"), str) and "type" in error
    return is_error and (dialect == "openai" or told.get("type") == "error")


def ends_well(answer: Answer, path: str) -> bool:
    """Whether a stream has come to its proper end, without an error in it."""
    last = {"ollama": b'"done":true', "openai": b"[DONE]", "anthropic": b"message_stop"}[dialect_of(path)]
    return answer.whole and last in answer.body.replace(b" ", b"")[-1000:] and b'"error"' not in answer.body


def _listed(statuses: tuple[int, ...]) -> str:
    return "/".join(str(status) for status in statuses)
