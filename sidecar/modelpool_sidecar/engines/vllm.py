"""vLLM: OpenAI's API and more, one model in a process.

It binds its port before the model is loaded in some versions and after it in others, so only 200 from /health counts.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from ..routing.health import Failure
from ..routing.table import Probed
from ..translation import Translation
from ..translation.engine_errors import DIED
from .profile import Get, Native, Profile, Translated, Way

_STATUS_BYTES: Final = 64 * 1024
"""The most that is read of an answer of which only the status counts."""
_SERVER_ERRORS: Final = frozenset({500, 502, 504})
_UNAUTHORIZED: Final = 401
_CALLS: Final = (
    *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"),
    *("/v1/messages", "/v1/messages/count_tokens", "/v1/audio/transcriptions", "/v1/audio/translations"),
    *("/v1/rerank", "/v2/rerank", "/rerank", "/v1/score", "/score", "/tokenize", "/detokenize"),
)


class Vllm(Profile):
    """See the module."""

    name: ClassVar[str] = "vllm"
    title: ClassVar[str] = "vLLM"
    inference: ClassVar[Mapping[str, Way]] = MappingProxyType(
        {**{one.value: Translated(one) for one in Translation}, **{path: Native(path) for path in _CALLS}}
    )
    admin: ClassVar[frozenset[str]] = frozenset(
        {
            *("sleep", "wake_up", "is_sleeping", "release_kv_cache_memory", "reset_prefix_cache", "reset_mm_cache"),
            *("collective_rpc", "load_lora_adapter", "unload_lora_adapter"),
        }
    )
    takes_a_key: ClassVar[bool] = True

    async def probe(self, get: Get) -> Probed:
        """See `Profile`."""
        status, _ = await get("/health", _STATUS_BYTES)
        return Probed(alive=status == 200)

    def failure_of(self, status: int, body: bytes) -> Failure | None:
        """See `Profile`. 401: it asks for the gateway's key, and for none of callers."""
        if status == _UNAUTHORIZED:
            return Failure.UNAUTHORIZED
        if status in _SERVER_ERRORS:
            return Failure.DIED if _has_died(body.decode(errors="replace")) else Failure.STATUS
        return super().failure_of(status, body)

    def failure_in(self, message: str) -> Failure:
        """See `Profile`."""
        return Failure.DIED if _has_died(message) else Failure.FAULT


def _has_died(message: str) -> bool:
    return any(name in message for name in DIED)


PROFILE: Final = Vllm()
