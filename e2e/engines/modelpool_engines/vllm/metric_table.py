"""Every `vllm:` metric of vLLM 0.32: name, kind, help text, labels and buckets, in the order of its /metrics.

A table and nothing else; `metrics` fills it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric. A counter is exposed as `<name>_total`; counters and histograms also have `<name>_created`."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    label: str | None = None
    """The one label beside `engine` and `model_name`."""
    values: tuple[str, ...] = ()
    """Values of that label that are always present."""
    buckets: tuple[float, ...] = ()
    engine: bool = True
    """Whether it carries the label `engine`."""


def lengths(limit: int) -> tuple[float, ...]:
    """Return the buckets for token counts up to the longest sequence: 1, 2, 5, 10, …."""
    steps = (float(base * 10**power) for power in range(8) for base in (1, 2, 5))
    return tuple(step for step in steps if step <= limit)


_LENGTHS = ()
"""Stands for `lengths` of the engine at hand."""
_ITERATIONS = (
    1.0,
    8.0,
    16.0,
    32.0,
    64.0,
    128.0,
    256.0,
    512.0,
    1024.0,
    2048.0,
    4096.0,
    8192.0,
    16384.0,
)
_COUNTS = (
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
)
_FIRST_TOKEN = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    20.0,
    40.0,
    80.0,
    160.0,
    640.0,
    2560.0,
)
_INTERVALS = (
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    20.0,
    40.0,
    80.0,
)
_SECONDS = (
    0.3,
    0.5,
    0.8,
    1.0,
    1.5,
    2.0,
    2.5,
    5.0,
    10.0,
    15.0,
    20.0,
    30.0,
    40.0,
    50.0,
    60.0,
    120.0,
    240.0,
    480.0,
    960.0,
    1920.0,
    7680.0,
)
_PREEMPTIONS = (
    1.0,
    2.0,
    3.0,
    4.0,
    5.0,
    10.0,
    20.0,
)

FAMILIES = (
    Family(
        name="estimated_flops_per_gpu",
        kind="counter",
        help="Estimated number of floating point operations per GPU (for Model Flops Utilization calculations).",
    ),
    Family(
        name="estimated_read_bytes_per_gpu",
        kind="counter",
        help="Estimated number of bytes read from memory per GPU (for Model Flops Utilization calculations).",
    ),
    Family(
        name="estimated_write_bytes_per_gpu",
        kind="counter",
        help="Estimated number of bytes written to memory per GPU (for Model Flops Utilization calculations).",
    ),
    Family(
        name="num_requests_running",
        kind="gauge",
        help="Number of requests in model execution batches.",
    ),
    Family(
        name="num_requests_waiting",
        kind="gauge",
        help="Number of requests waiting to be processed.",
    ),
    Family(
        name="num_requests_waiting_by_reason",
        kind="gauge",
        help=(
            "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; "
            "'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked status). Sum of "
            "all reasons equals vllm:num_requests_waiting."
        ),
        label="reason",
        values=("capacity", "deferred"),
    ),
    Family(
        name="engine_sleep_state",
        kind="gauge",
        help=(
            "Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; "
            "weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2."
        ),
        label="sleep_state",
        values=("awake", "weights_offloaded", "discard_all"),
    ),
    Family(
        name="kv_cache_usage_perc",
        kind="gauge",
        help="KV-cache usage. 1 means 100 percent usage.",
    ),
    Family(
        name="prefix_cache_queries",
        kind="counter",
        help="Prefix cache queries, in terms of number of queried tokens.",
    ),
    Family(
        name="prefix_cache_hits",
        kind="counter",
        help="Prefix cache hits, in terms of number of cached tokens.",
    ),
    Family(
        name="external_prefix_cache_queries",
        kind="counter",
        help=(
            "External prefix cache queries from KV connector cross-instance cache sharing, in terms of number of "
            "queried tokens."
        ),
    ),
    Family(
        name="external_prefix_cache_hits",
        kind="counter",
        help=(
            "External prefix cache hits from KV connector cross-instance cache sharing, in terms of number of "
            "cached tokens."
        ),
    ),
    Family(
        name="mm_cache_queries",
        kind="counter",
        help="Multi-modal cache queries, in terms of number of queried items.",
    ),
    Family(
        name="mm_cache_hits",
        kind="counter",
        help="Multi-modal cache hits, in terms of number of cached items.",
    ),
    Family(
        name="num_preemptions",
        kind="counter",
        help="Cumulative number of preemption from the engine.",
    ),
    Family(
        name="prompt_tokens",
        kind="counter",
        help="Number of prefill tokens processed.",
    ),
    Family(
        name="prompt_tokens_by_source",
        kind="counter",
        help="Number of prompt tokens by source.",
        label="source",
        values=("local_compute", "local_cache_hit", "external_kv_transfer"),
    ),
    Family(
        name="prompt_tokens_cached",
        kind="counter",
        help="Number of cached prompt tokens (local + external).",
    ),
    Family(
        name="prompt_tokens_cached_by_source",
        kind="counter",
        help=(
            "Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), host (offloaded to "
            "DRAM), disk, p2p (transferred from another vLLM instance) or external_unspecified. Counted at "
            "admission; sums to vllm:prefix_cache_hits + vllm:external_prefix_cache_hits."
        ),
        label="source",
        values=("device", "host", "p2p", "disk", "external_unspecified"),
    ),
    Family(
        name="generation_tokens",
        kind="counter",
        help="Number of generation tokens processed.",
    ),
    Family(
        name="request_success",
        kind="counter",
        help="Count of successfully processed requests.",
        label="finished_reason",
        values=("stop", "length", "abort", "error", "repetition"),
    ),
    Family(
        name="admission_rejections",
        kind="counter",
        help="Number of admission attempts rejected by a queue limit, by reason.",
        label="reason",
        values=("max_num_queued_reqs", "max_num_queued_tokens"),
        engine=False,
    ),
    Family(
        name="request_prompt_tokens",
        kind="histogram",
        help="Number of prefill tokens processed.",
        buckets=_LENGTHS,
    ),
    Family(
        name="request_generation_tokens",
        kind="histogram",
        help="Number of generation tokens processed.",
        buckets=_LENGTHS,
    ),
    Family(
        name="iteration_tokens_total",
        kind="histogram",
        help="Histogram of number of tokens per engine_step.",
        buckets=_ITERATIONS,
    ),
    Family(
        name="request_max_num_generation_tokens",
        kind="histogram",
        help="Histogram of maximum number of requested generation tokens.",
        buckets=_LENGTHS,
    ),
    Family(
        name="request_params_n",
        kind="histogram",
        help="Histogram of the n request parameter.",
        buckets=_COUNTS,
    ),
    Family(
        name="request_params_max_tokens",
        kind="histogram",
        help="Histogram of the max_tokens request parameter.",
        buckets=_LENGTHS,
    ),
    Family(
        name="time_to_first_token_seconds",
        kind="histogram",
        help="Histogram of time to first token in seconds.",
        buckets=_FIRST_TOKEN,
    ),
    Family(
        name="inter_token_latency_seconds",
        kind="histogram",
        help="Histogram of inter-token latency in seconds.",
        buckets=_INTERVALS,
    ),
    Family(
        name="request_time_per_output_token_seconds",
        kind="histogram",
        help="Histogram of time_per_output_token_seconds per request.",
        buckets=_INTERVALS,
    ),
    Family(
        name="e2e_request_latency_seconds",
        kind="histogram",
        help="Histogram of e2e request latency in seconds.",
        buckets=_SECONDS,
    ),
    Family(
        name="request_queue_time_seconds",
        kind="histogram",
        help="Histogram of time spent in WAITING phase for request.",
        buckets=_SECONDS,
    ),
    Family(
        name="request_inference_time_seconds",
        kind="histogram",
        help="Histogram of time spent in RUNNING phase for request.",
        buckets=_SECONDS,
    ),
    Family(
        name="request_prefill_time_seconds",
        kind="histogram",
        help="Histogram of time spent in PREFILL phase for request.",
        buckets=_SECONDS,
    ),
    Family(
        name="request_decode_time_seconds",
        kind="histogram",
        help="Histogram of time spent in DECODE phase for request.",
        buckets=_SECONDS,
    ),
    Family(
        name="request_num_preemptions",
        kind="histogram",
        help="Histogram of the number of times a request was preempted.",
        buckets=_PREEMPTIONS,
    ),
    Family(
        name="request_prefill_kv_computed_tokens",
        kind="histogram",
        help="Histogram of new KV tokens computed during prefill (excluding cached tokens).",
        buckets=_LENGTHS,
    ),
    Family(
        name="spec_decode_num_drafts",
        kind="counter",
        help="Number of spec decoding drafts.",
    ),
    Family(
        name="spec_decode_num_draft_tokens",
        kind="counter",
        help="Number of draft tokens.",
    ),
    Family(
        name="spec_decode_num_accepted_tokens",
        kind="counter",
        help="Number of accepted tokens.",
    ),
    Family(
        name="spec_decode_num_accepted_tokens_per_pos",
        kind="counter",
        help="Accepted tokens per draft position.",
        label="position",
    ),
)
