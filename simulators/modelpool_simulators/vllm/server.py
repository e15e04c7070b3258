"""The HTTP server: routes, the checks around every request, and the values behind the gauges."""

from __future__ import annotations

import hmac
import secrets
import time

from aiohttp import web

from .. import batching, engine, prefixes, speeds, text, timeslices
from .api import chat, completions, embeddings, errors, messages, responses, service, state, tokens
from .flags import Flags
from .metrics import Metrics
from .settings import Settings
from .startup import Loaded

_MAX_BODY = 32 * 1024 * 1024
STEP_TOKENS = 2048
"""Of a step where nobody says: more on large cards, which changes only how long the simulation takes."""
_GUARDED = ("/v1", "/v2", "/inference")
_GENERATING = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")


def build_state(
    flags: Flags,
    settings: Settings,
    loaded: Loaded,
    *,
    timeslice: timeslices.Timeslice | None = None,
    told: speeds.Speeds | None = None,
) -> state.State:
    """Put a loaded server together; needs a running event loop."""
    told = told or speeds.Speeds()
    draft_tokens = int((flags.speculative or {}).get("num_speculative_tokens", 1)) if flags.speculative else 0
    metrics = Metrics(flags.name, loaded.max_model_len, draft_tokens=draft_tokens, created=time.time())
    pace = batching.Pace(
        prefill_tokens_per_second=settings.prefill_tokens_per_second,
        decode_tokens_per_second=settings.decode_tokens_per_second,
        batch_slowdown=settings.batch_slowdown,
        draft_tokens=draft_tokens,
        draft_acceptance=settings.draft_acceptance,
    )
    batch = batching.Batch(
        told.pace(flags.served_names, pace),
        max_sequences=flags.max_num_seqs,
        cache_tokens=loaded.cache_tokens,
        step_tokens=flags.max_num_batched_tokens or STEP_TOKENS,
    )
    core = engine.Engine(
        batch,
        observer=metrics,
        prefix_cache=prefixes.PrefixCache(loaded.cache_tokens // batching.BLOCK) if flags.prefix_caching else None,
        max_queued=flags.max_num_queued_reqs,
        die_after_tokens=settings.die_after_tokens,
        timeslice=timeslice,
        turn_seconds=told.turn_seconds,
        catch_up_seconds=told.catch_up_seconds,
        hand_out_seconds=told.hand_out_seconds,
    )
    metrics.gauges = {
        "num_requests_running": lambda: len(batch.running),
        "num_requests_waiting": lambda: len(batch.waiting),
        "num_requests_waiting_by_reason/capacity": lambda: len(batch.waiting),
        "kv_cache_usage_perc": lambda: batch.usage,
        "engine_sleep_state/awake": lambda: 1,
    }
    metrics.config = {
        "block_size": str(batching.BLOCK),
        "cache_dtype": flags.kv_cache_dtype,
        "enable_prefix_caching": str(flags.prefix_caching),
        "gpu_memory_utilization": str(flags.gpu_memory_utilization),
        "kv_cache_max_concurrency": str(round(loaded.cache_tokens / loaded.max_model_len, 2)),
        "kv_cache_memory_bytes": str(loaded.cache_bytes),
        "kv_cache_size_tokens": str(loaded.cache_tokens),
        "num_gpu_blocks": str(loaded.cache_tokens // batching.BLOCK),
    }
    return state.State(
        flags=flags,
        settings=settings,
        loaded=loaded,
        engine=core,
        metrics=metrics,
        vocabulary=text.Vocabulary(),
        failures_left=settings.fail_before_first_byte,
    )


def build_app(server: state.State) -> web.Application:
    """Return the application for a loaded server."""
    app = web.Application(client_max_size=_MAX_BODY, middlewares=[_guard, errors.middleware, _track])
    app[state.KEY] = server
    app.on_response_prepare.append(_headers)
    add = app.router.add_route
    add("GET", "/health", service.health)
    add("GET", "/ping", service.ping)
    add("POST", "/ping", service.ping)
    add("GET", "/version", service.version)
    add("GET", "/metrics", service.metrics)
    add("GET", "/load", service.load)
    add("GET", "/v1/models", service.models)
    add("POST", "/tokenize", tokens.tokenize)
    add("POST", "/detokenize", tokens.detokenize)
    if server.flags.pooling:
        add("POST", "/v1/embeddings", embeddings.embeddings)
        return app
    add("POST", "/v1/chat/completions", chat.completions)
    add("POST", "/v1/completions", completions.completions)
    add("POST", "/v1/responses", responses.responses)
    add("POST", "/v1/messages", messages.messages)
    add("POST", "/v1/messages/count_tokens", messages.count_tokens)
    return app


async def _headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "uvicorn"
    if response.status != 401:
        response.headers["Vary"] = "Origin"
    if request.app[state.KEY].flags.request_id_headers:
        response.headers["X-Request-Id"] = request.headers.get("X-Request-Id") or secrets.token_hex(16)


@web.middleware
async def _guard(request: web.Request, handler: errors.Handler) -> web.StreamResponse:
    """Ask for the key on the guarded paths."""
    server = request.app[state.KEY]
    keys = [*server.flags.api_keys, *([server.settings.api_key] if server.settings.api_key else [])]
    if keys and request.path.startswith(_GUARDED) and request.method != "OPTIONS":
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        known = any(hmac.compare_digest(token.encode(), key.encode()) for key in keys)
        if scheme.lower() != "bearer" or not known:
            return errors.reply({"error": "Unauthorized"}, status=401)
    return await handler(request)


@web.middleware
async def _track(request: web.Request, handler: errors.Handler) -> web.StreamResponse:
    """Count requests under way, and break those that are planned to be broken."""
    server = request.app[state.KEY]
    if request.path not in _GENERATING or request.method != "POST":
        return await handler(request)
    if server.failures_left > 0 and request.transport is not None:
        server.failures_left -= 1
        request.transport.close()
    server.in_flight += 1
    try:
        return await handler(request)
    finally:
        server.in_flight -= 1
