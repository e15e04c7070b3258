"""Recorded calls of Ollama, and the recorded answers of vLLM from which the gateway must give the same.

A difference is written as `-field` (ours lacks it) or `+field` (ours has it besides), with its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NO_CONTEXT: Final = {
    "-context": "tokens of the template are vLLM's own affair, and Ollama has deprecated the field",
}
NO_GGUF: Final = {
    "-tensors": "the weights are no GGUF file",
    "-model_info.*": "keys of a GGUF header, of which architecture, size, context and width are given",
}
STATUS_400: Final = "vLLM calls it the caller's mistake, which it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recorded call."""

    ollama: str
    """The recording whose request is sent and whose answer is wanted."""
    vllm: str = ""
    """The recording that the engine plays; none where the gateway answers by itself."""
    differs: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    """The status that ours has instead."""
    why: str = ""
    """The reason for that."""
    text: bool = False
    """Whether the body must be the same to the byte."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent besides; the recordings do not hold them."""


ROWS: Final = (
    Row(ollama="01-root", text=True),
    Row(ollama="01h-root-head"),
    Row(ollama="02-version"),
    Row(ollama="02h-version-head"),
    Row(ollama="03-tags"),
    Row(ollama="03h-tags-head"),
    Row(ollama="28-ps-loaded"),
    Row(ollama="05-show", differs=NO_GGUF),
    Row(ollama="05b-show-embed", differs=NO_GGUF),
    Row(ollama="09-load-empty-prompt"),
    Row(ollama="24-chat-load-empty-messages"),
    Row(ollama="90-unload-generate"),
    Row(ollama="91-unload-chat"),
    Row(ollama="10-generate-stream", vllm="12-chat-stream-usage", differs=NO_CONTEXT),
    Row(ollama="11-generate", vllm="12-chat-stream-usage", differs=NO_CONTEXT),
    Row(ollama="12-generate-raw", vllm="21-completions-stream-usage"),
    Row(ollama="13-generate-format-json", vllm="12-chat-stream-usage", differs=NO_CONTEXT),
    Row(ollama="14-generate-logprobs", vllm="14-chat-logprobs", differs=NO_CONTEXT),
    Row(ollama="44-generate-think", vllm="25-chat-reasoning-parser-stream", differs=NO_CONTEXT),
    Row(ollama="20-chat-stream", vllm="12-chat-stream-usage"),
    Row(ollama="20-chat-stream", vllm="13-chat-stream-continuous-usage"),
    Row(ollama="21-chat", vllm="12-chat-stream-usage"),
    Row(ollama="21-chat", vllm="10-chat"),
    Row(ollama="22-chat-format-schema", vllm="17-chat-json-schema"),
    Row(ollama="23-chat-stop", vllm="12-chat-stream-usage"),
    Row(ollama="25-chat-tools", vllm="12-chat-stream-usage"),
    Row(ollama="26-chat-think-true", vllm="12-chat-stream-usage"),
    Row(ollama="27-chat-keepalive-30s", vllm="12-chat-stream-usage"),
    Row(ollama="40-think-stream", vllm="25-chat-reasoning-parser-stream"),
    Row(ollama="41-think-nostream", vllm="25-chat-reasoning-parser-stream"),
    Row(ollama="41-think-nostream", vllm="24-chat-reasoning-parser"),
    Row(ollama="46b-tools-stream-parser", vllm="18c-chat-tools-auto-stream"),
    Row(ollama="47-tools-nostream", vllm="18c-chat-tools-auto-stream"),
    Row(ollama="47-tools-nostream", vllm="18b-chat-tools-auto"),
    Row(ollama="38-embed", vllm="86-embeddings"),
    Row(ollama="39-embeddings-legacy", vllm="86-embeddings"),
    Row(ollama="39b-embed-dimensions", vllm="86-embeddings"),
    Row(ollama="39c-embed-empty-input", text=True),
    Row(ollama="39d-embed-on-generate-model-501", vllm="63-err-embeddings-on-generate-model", text=True),
    Row(ollama="39e-chat-on-embed-model", text=True),
    Row(ollama="45-err-think-bad-value", text=True),
    Row(ollama="45b-err-think-not-supported", text=True),
    Row(ollama="50-err-chat-unknown-model", text=True),
    Row(ollama="51-err-generate-unknown-model", text=True),
    Row(ollama="53-err-embed-unknown-model", text=True),
    Row(ollama="54-err-show-unknown-model", text=True),
    Row(ollama="57-err-bad-json", text=True),
    Row(ollama="58-err-empty-body", text=True),
    Row(ollama="59-err-missing-model", text=True),
    Row(ollama="60-err-bad-type", text=True),
    Row(ollama="61-err-bad-option-type", text=True),
    Row(ollama="62-err-bad-format", text=True),
    Row(ollama="65-err-long-prompt", vllm="53-err-prompt-too-long"),
    Row(ollama="66-err-long-prompt-truncate-false", vllm="53-err-prompt-too-long"),
    Row(ollama="70-err-images", vllm="69-err-image-input", status=400, why=STATUS_400),
    Row(ollama="68-err-404", text=True),
    Row(ollama="69-err-405", text=True),
    Row(ollama="71-host-header-403", headers={"Host": "models.example.org"}, text=True),
    Row(
        ollama="72-cors-preflight",
        headers={"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"},
        text=True,
    ),
    Row(ollama="73-cors-bad-origin", headers={"Origin": "http://models.example.org"}, text=True),
    *(
        Row(ollama=name, status=403, why="administrative calls are closed unless the gateway's operator opens them")
        for name in (
            "55-err-delete-unknown-model",
            "56-err-copy-unknown",
            "74-err-pull-stream-no-registry",
            "75-err-pull-nostream-no-registry",
            "80-blob-head-present",
            "81-blob-head-absent",
            "82-create-from-stream",
            "83-create-from-nostream",
            "84-err-create-from-unknown",
            "85-copy",
            "88-delete",
            "89-delete-again-404",
        )
    ),
)
LEFT_OUT: Final[Mapping[str, str]] = {
    "04-ps": "nothing is loaded: a pool's vLLM models always are",
    "06-show-verbose": "big arrays of the GGUF file",
    "41b-think-false": "the recorded weights think whatever they are told",
    "45c-err-tools-not-supported": "the recorded model called no tool, which is 21-chat",
    "46-tools-stream": "the recorded template knows no tools, so the call is plain text, which is 20-chat-stream",
    "86-tags-after": "03-tags with models that administrative calls made",
    "87-show-derived": "05-show of such a model",
    "92-ps-after-unload": "nothing is loaded: a pool's vLLM models always are",
}
"""Recorded calls of Ollama's own API that are not compared. Those below `/v1` pass untouched, see `test_untouched`."""
