"""The calls without a prompt, with which Ollama's clients load and unload a model.

A vLLM model stays where it is: the answer says what the client wants to hear, and the engine is not asked.
"""

from ..dialects.answer import Answer
from ..dialects.go_json import encode, parse_keep_alive, rfc3339
from .ollama_requests import ChatRequest, GenerateRequest, Prompted


def chat_answer(request: ChatRequest, epoch_ns: int) -> Answer:
    """The answer to a chat without messages."""
    message = {"role": "assistant", "content": ""}
    return _answer({"model": request.model, "created_at": rfc3339(epoch_ns), "message": message}, request)


def generate_answer(request: GenerateRequest, epoch_ns: int) -> Answer:
    """The answer to an empty prompt."""
    return _answer({"model": request.model, "created_at": rfc3339(epoch_ns), "response": ""}, request)


def _answer(line: dict[str, object], request: Prompted) -> Answer:
    unloads = request.keep_alive is not None and parse_keep_alive(request.keep_alive) == 0
    return Answer(body=encode({**line, "done": True, "done_reason": "unload" if unloads else "load"}))
