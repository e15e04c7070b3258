"""What vLLM says of lengths, as a function: its refusals before and since 0.33, and its counts."""

import json
from dataclasses import dataclass, field
from typing import Any

from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.translation import Backend, Exchange, Fitting, Translation, translate
from modelpool_sidecar.translation.fitting import Count

from .asking import EPOCH


def body_of(message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "BadRequestError", "code": 400}}).encode()


@dataclass
class CountingEngine:
    """A token for each two characters, and ten around each message."""

    context: int
    bounds: bool = False
    """Whether it bounds an answer that does not fit instead of refusing it, as since 0.33."""
    image_tokens: int = 0
    """For each image, told by a refusal and not by a count."""
    begins_with: frozenset[str] | None = None
    """The roles that its template wants first, after the system messages."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    counted: int = 0

    def tokens(self, request: dict[str, Any]) -> int:
        if "prompt" in request:
            return 1 + len(request["prompt"]) // 2
        return 10 + sum(10 + len(json.dumps(one["content"])) // 2 for one in request["messages"])

    def refuses(self, request: dict[str, Any]) -> str:
        """The words of a refusal; empty when it answers."""
        self.asked.append(request)
        tokens, wanted = self.tokens(request), request.get("max_tokens")
        if wanted is not None and wanted > self.context:
            return f"max_tokens={wanted} cannot be greater than max_model_len={self.context}. Please request fewer."
        if tokens > self.context:
            return (
                f"This model's maximum context length is {self.context} tokens. However, your prompt contains at least "
                f"{self.context + 1} input tokens, which exceeds this limit even without any output tokens."
            )
        if wanted is not None and tokens + wanted > self.context and not self.bounds:
            return (
                f"This model's maximum context length is {self.context} tokens. However, you requested {wanted} output "
                f"tokens and your prompt contains at least {self.context - wanted + 1} input tokens, for a total of at "
                f"least {self.context + 1} tokens."
            )
        if tokens == self.context:
            return "max_tokens must be at least 1, got 0."
        whole = tokens + self.image_tokens * json.dumps(request.get("messages", "")).count('"image_url":')
        if whole > self.context:
            return f"The decoder prompt (length {whole}) is longer than the maximum model length of {self.context}."
        return ""

    def count(self, request: dict[str, Any]) -> tuple[int, bytes]:
        self.counted += 1
        if self.begins_with is not None:
            first = next((one["role"] for one in request["messages"] if one["role"] != "system"), "")
            if first not in self.begins_with:
                return 400, body_of("Conversation roles must alternate")
        count = self.tokens(request)
        return 200, json.dumps({"count": count, "max_model_len": self.context, "tokens": [1] * 9}).encode()

    def put(
        self, call: Translation, request: dict[str, Any], backend: Backend
    ) -> tuple[Exchange | Answer | None, Fitting | None]:
        """A request as the gateway puts it; None when a refusal is passed on as it is."""
        raw = json.dumps(request).encode()
        made: Exchange | Answer | Count | None = translate(call, raw, backend, epoch_ns=EPOCH)
        fitting: Fitting | None = None
        while isinstance(made, Exchange):
            words = self.refuses(json.loads(made.body))
            if not words:
                return made, fitting
            fitting = fitting or Fitting(call, raw, backend)
            made = fitting.refused(body_of(words))
            while isinstance(made, Count):
                made = fitting.counted(*self.count(json.loads(made.body)))
        assert not isinstance(made, Count)
        return made, fitting
