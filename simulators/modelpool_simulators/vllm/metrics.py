"""What /metrics says: counts what the engine does and writes it as vLLM's Prometheus client does.

Implements `engine.Observer`. Families that stay zero in a simulation (FLOPs, multi-modal cache, …) are there with
value 0, so that a scraper finds every name.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .. import batching
from ..engine import Generation
from . import metric_table


@dataclass(slots=True)
class Histogram:
    """Counts per bucket, and the sum."""

    buckets: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.buckets) + 1)

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect.bisect_left(self.buckets, value)] += 1
        self.total += value


class Metrics:
    """All values of one engine."""

    def __init__(self, model_name: str, max_model_len: int, *, draft_tokens: int, created: float) -> None:
        self._model_name = model_name
        self._created = created
        self._draft_tokens = draft_tokens
        lengths = metric_table.lengths(max_model_len)
        families = [one for one in metric_table.FAMILIES if draft_tokens or not one.name.startswith("spec_decode")]
        self._families = families
        self._values: dict[tuple[str, str], float] = {}
        self._histograms = {one.name: Histogram(one.buckets or lengths) for one in families if one.kind == "histogram"}
        self.gauges: dict[str, Callable[[], float]] = {}
        """Read when asked: running, waiting, cache usage."""
        self.config: dict[str, str] = {}
        """Labels of `cache_config_info`."""

    def add(self, name: str, amount: float = 1, label: str = "") -> None:
        """Raise a counter."""
        key = (name, label)
        self._values[key] = self._values.get(key, 0.0) + amount

    def observe(self, name: str, value: float) -> None:
        """Count one value of a histogram."""
        self._histograms[name].observe(value)

    def stepped(self, step: batching.Step) -> None:
        """Count what one step did."""
        produced = sum(tokens for _, tokens in step.produced)
        self.add("generation_tokens", produced)
        self.add("num_preemptions", step.preempted)
        self.observe("iteration_tokens_total", produced + step.prefilled)
        for one in step.admitted:
            if one.preemptions == 0:
                self.add("prompt_tokens", one.prompt)
                self.add("prompt_tokens_by_source", one.prompt - one.cached, "local_compute")
                self.add("prompt_tokens_by_source", one.cached, "local_cache_hit")
                self.add("prompt_tokens_cached", one.cached)
                self.add("prompt_tokens_cached_by_source", one.cached, "device")
                self.add("prefix_cache_queries", one.prompt)
                self.add("prefix_cache_hits", one.cached)
        if step.drafts:
            self.add("spec_decode_num_drafts", step.drafts)
            self.add("spec_decode_num_draft_tokens", step.drafts * self._draft_tokens)
            self.add("spec_decode_num_accepted_tokens", sum(step.accepted))
            for position in range(self._draft_tokens):
                kept = sum(accepted > position for accepted in step.accepted)
                self.add("spec_decode_num_accepted_tokens_per_pos", kept, str(position))

    def finished(self, generation: Generation, reason: str) -> None:
        """Count an answer that ended."""
        timing, sequence = generation.timing, generation.sequence
        self.add("request_success", 1, reason)
        self.observe("request_prompt_tokens", sequence.prompt)
        self.observe("request_generation_tokens", generation.sent)
        self.observe("request_prefill_kv_computed_tokens", sequence.prompt - sequence.cached)
        self.observe("request_num_preemptions", sequence.preemptions)
        if timing.scheduled is None or timing.first_token is None or timing.last_token is None:
            return
        self.observe("time_to_first_token_seconds", timing.first_token - timing.arrived)
        self.observe("e2e_request_latency_seconds", timing.last_token - timing.arrived)
        self.observe("request_queue_time_seconds", max(0.0, timing.scheduled - timing.arrived))
        self.observe("request_inference_time_seconds", timing.last_token - timing.scheduled)
        self.observe("request_prefill_time_seconds", timing.first_token - timing.scheduled)
        self.observe("request_decode_time_seconds", timing.last_token - timing.first_token)
        if timing.intervals:
            mean = sum(timing.intervals) / len(timing.intervals)
            self.observe("request_time_per_output_token_seconds", mean)
        for interval in timing.intervals:
            self.observe("inter_token_latency_seconds", interval)

    def asked(self, *, choices: int, max_tokens: int) -> None:
        """Count the parameters of one request."""
        self.observe("request_params_n", choices)
        self.observe("request_params_max_tokens", max_tokens)
        self.observe("request_max_num_generation_tokens", max_tokens)

    def expose(self) -> str:
        """Write everything in the text format of Prometheus."""
        return "\n".join(line for one in self._families for line in self._family(one)) + "\n" + self._config_info()

    def _family(self, one: metric_table.Family) -> Iterator[str]:
        name = f"vllm:{one.name}"
        exposed = f"{name}_total" if one.kind == "counter" else name
        yield f"# HELP {exposed} {one.help}"
        yield f"# TYPE {exposed} {one.kind}"
        if one.kind == "histogram":
            yield from self._histogram(name, self._histograms[one.name])
        else:
            for value in self._label_values(one):
                yield f"{exposed}{self._labels(one, value)} {self._value(one.name, value)}"
        if one.kind != "gauge":
            yield f"# HELP {name}_created {one.help}"
            yield f"# TYPE {name}_created gauge"
            for value in self._label_values(one):
                yield f"{name}_created{self._labels(one, value)} {self._created}"

    def _label_values(self, one: metric_table.Family) -> tuple[str, ...]:
        if one.label == "position":
            return tuple(str(position) for position in range(self._draft_tokens))
        return one.values or ("",)

    def _value(self, name: str, label: str) -> float:
        read = self.gauges.get(f"{name}/{label}" if label else name)
        return float(read()) if read else self._values.get((name, label), 0.0)

    def _labels(self, one: metric_table.Family, value: str) -> str:
        labels = {"model_name": self._model_name}
        if one.engine:
            labels["engine"] = "0"
        if one.label:
            labels[one.label] = value
        return _write(labels)

    def _histogram(self, name: str, histogram: Histogram) -> Iterator[str]:
        labels = {"engine": "0", "model_name": self._model_name}
        seen = 0
        for bound, count in zip((*map(str, histogram.buckets), "+Inf"), histogram.counts, strict=True):
            seen += count
            yield f"{name}_bucket{_write({**labels, 'le': bound})} {float(seen)}"
        yield f"{name}_count{_write(labels)} {float(seen)}"
        yield f"{name}_sum{_write(labels)} {float(histogram.total)}"

    def _config_info(self) -> str:
        labels = _write({**self.config, "engine": "0"})
        name = "vllm:cache_config_info"
        return f"# HELP {name} Information of the LLMEngine CacheConfig\n# TYPE {name} gauge\n{name}{labels} 1.0\n"


def _write(labels: dict[str, str]) -> str:
    def escape(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return "{" + ",".join(f'{key}="{escape(labels[key])}"' for key in sorted(labels)) + "}"
