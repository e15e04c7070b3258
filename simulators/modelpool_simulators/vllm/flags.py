"""The command line of `vllm serve`, as far as the simulation acts on it; everything else is accepted and ignored.

Unknown flags, malformed values and JSON that does not parse fail with vLLM's words and exit status 2.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from . import flag_table

_COMMANDS = "{chat,complete,serve,launch,bench,collect-env,download-kernels,preload,run-batch,snapshot}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What `vllm serve` was asked for. Defaults are vLLM's."""

    model: str
    """Repository or path."""
    served_names: tuple[str, ...]
    """Names that requests may use; the first is written into answers and metrics."""
    host: str | None
    port: int
    gpu_memory_utilization: float
    kv_cache_memory_bytes: int | None
    kv_cache_dtype: str
    max_model_len: int | None
    """None: what the model was trained for; -1: what fits."""
    hf_overrides: dict[str, Any]
    """Takes the place of what the model's config.json says; `max_position_embeddings` alone matters here."""
    max_num_seqs: int
    max_num_batched_tokens: int | None
    """None: by the size of the card."""
    max_num_queued_reqs: int | None
    tensor_parallel_size: int
    quantization: str | None
    speculative: dict[str, Any] | None
    reasoning_parser: str | None
    tool_call_parser: str | None
    auto_tool_choice: bool
    chat_template_kwargs: dict[str, Any]
    api_keys: tuple[str, ...]
    shutdown_timeout: float
    """Seconds that requests under way get after SIGTERM; 0 aborts them."""
    request_id_headers: bool
    load_tracking: bool
    enforce_eager: bool
    language_model_only: bool
    sleep_mode: bool
    prefix_caching: bool
    force_usage: bool
    pooling: bool
    """Serves embeddings instead of text."""
    adapters: Mapping[str, str]
    """Paths of LoRA adapters by the names that requests use."""
    media_domains: tuple[str, ...]
    """Hosts from which media may be fetched; empty: all."""
    media_folder: str | None
    """Below which local files may be loaded; None: none."""
    sse_keep_alive: float | None
    """Seconds between comment lines in quiet streams; None for none."""

    @property
    def name(self) -> str:
        """The name written into answers and metrics."""
        return self.served_names[0]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Write usage and message as vLLM does, without the help of every flag."""
        self.exit(2, f"{self.format_usage()}{self.prog}: error: {message}\n")


def parse(arguments: Sequence[str]) -> Flags:
    """Read the arguments after the program's name; leaves the process with status 2 when they are wrong."""
    parser = _Parser(prog="vllm", usage=f"vllm [-h] [-v]\n            {_COMMANDS}\n            ...")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    add_serve_flags(commands.add_parser("serve", prog="vllm serve", usage="vllm serve [model_tag] [options]"))
    given = parser.parse_args([_dashed(argument) for argument in arguments])
    model = given.model_tag or given.model or "Qwen/Qwen3-0.6B"
    return Flags(
        model=model,
        served_names=tuple(given.served_model_name or [model]),
        host=given.host,
        port=given.port,
        gpu_memory_utilization=given.gpu_memory_utilization,
        kv_cache_memory_bytes=given.kv_cache_memory_bytes,
        kv_cache_dtype=given.kv_cache_dtype,
        max_model_len=given.max_model_len,
        hf_overrides=given.hf_overrides or {},
        max_num_seqs=given.max_num_seqs,
        max_num_batched_tokens=given.max_num_batched_tokens,
        max_num_queued_reqs=given.max_num_queued_reqs,
        tensor_parallel_size=given.tensor_parallel_size,
        quantization=given.quantization,
        speculative=given.speculative_config or _speculative_shorthand(given),
        reasoning_parser=given.reasoning_parser,
        tool_call_parser=given.tool_call_parser,
        auto_tool_choice=given.enable_auto_tool_choice,
        chat_template_kwargs=given.default_chat_template_kwargs or {},
        api_keys=tuple(given.api_key or ()),
        shutdown_timeout=given.shutdown_timeout,
        request_id_headers=given.enable_request_id_headers,
        load_tracking=given.enable_server_load_tracking,
        enforce_eager=given.enforce_eager,
        language_model_only=given.language_model_only,
        sleep_mode=given.enable_sleep_mode,
        prefix_caching=given.enable_prefix_caching,
        force_usage=given.enable_force_include_usage,
        pooling=given.runner == "pooling" or given.convert == "embed" or given.task in ("embed", "embedding"),
        adapters=_adapters(given, parser),
        media_domains=tuple(given.allowed_media_domains or ()),
        media_folder=given.allowed_local_media_path or None,
        sse_keep_alive=given.sse_keep_alive_interval,
    )


def add_serve_flags(parser: argparse.ArgumentParser) -> None:
    """Teach a parser every flag of `vllm serve`."""
    add = parser.add_argument
    add("model_tag", nargs="?")
    add("--model")
    add("--served-model-name", nargs="+")
    add("--host")
    add("--port", type=int, default=8000)
    add("--gpu-memory-utilization", "--device-memory-utilization", type=float, default=0.92)
    add("--kv-cache-memory-bytes", type=_size)
    add("--kv-cache-dtype", default="auto")
    add("--max-model-len", type=_length)
    add("--hf-overrides", type=_json)
    add("--max-num-seqs", type=int, default=256)
    add("--max-num-batched-tokens", type=_size)
    add("--max-num-queued-reqs", type=int)
    add("--max-num-queued-tokens", type=int)
    add("--tensor-parallel-size", "-tp", type=int, default=1)
    add("--pipeline-parallel-size", "-pp", type=int, default=1)
    add("--quantization", "-q")
    add("--dtype", default="auto")
    add("--seed", type=int, default=0)
    add("--speculative-config", "-sc", type=_json)
    add("--spec-method")
    add("--spec-model")
    add("--spec-tokens", type=int)
    add("--reasoning-parser")
    add("--tool-call-parser")
    add("--default-chat-template-kwargs", type=_json)
    add("--limit-mm-per-prompt", type=_json)
    add("--allowed-media-domains", nargs="+")
    add("--allowed-local-media-path")
    add("--api-key", nargs="+")
    add("--shutdown-timeout", type=float, default=0)
    add("--runner", default="auto")
    add("--convert", default="auto")
    add("--task", default="auto", help=argparse.SUPPRESS)
    add("--sse-keep-alive-interval", type=float)
    for name in ("--download-dir", "--revision", "--config", "--root-path", "--device-ids", "--ir-op-priority"):
        add(name)
    for name in _SWITCHES:
        add(name, action=argparse.BooleanOptionalAction, default=name == "--enable-prefix-caching")
    for name in flag_table.SWITCHES:
        add(name, action=argparse.BooleanOptionalAction)
    for name in flag_table.VALUES:
        add(name)
    for name in flag_table.LISTS:
        add(name, nargs="+")


_RANKS = ("1", "8", "16", "32", "64", "128", "256", "320", "512")
_SWITCHES = (
    "--enable-auto-tool-choice",
    "--enable-request-id-headers",
    "--enable-server-load-tracking",
    "--enforce-eager",
    "--language-model-only",
    "--enable-sleep-mode",
    "--enable-prefix-caching",
    "--enable-force-include-usage",
    "--enable-lora",
)


def _dashed(argument: str) -> str:
    """vLLM accepts underscores in names of flags."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value


def _json(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"Value {value} cannot be converted to {json.loads}.") from None


def _size(value: str) -> int:
    """Read an integer that may carry a unit: small letters count in thousands, capitals in 1024s."""
    power = "kmgt".find(value[-1:].lower()) + 1
    base = 1024 if value[-1:].isupper() else 1000
    try:
        return int(float(value[:-1]) * base**power) if power else int(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid human_readable_int value: {value!r}") from None


def _length(value: str) -> int:
    return -1 if value in ("auto", "-1") else _size(value)


def _adapters(given: argparse.Namespace, parser: argparse.ArgumentParser) -> dict[str, str]:
    """Read `name=path` or JSON; adapters need --enable-lora, room for one at least, and a rank that vLLM knows."""
    if given.max_lora_rank is not None and given.max_lora_rank not in _RANKS:
        parser.error(f"argument --max-lora-rank: invalid choice: '{given.max_lora_rank}' (choose from {_RANKS})")
    found: dict[str, str] = {}
    for word in given.lora_modules or ():
        if "=" in word and "," not in word:
            name, _, path = word.partition("=")
        else:
            module = _json(word)
            name, path = module["name"], module["path"]
        found[name] = path
    if found and not given.enable_lora:
        parser.error("argument --lora-modules: LoRA is not enabled, use --enable-lora")
    return found


def _speculative_shorthand(given: argparse.Namespace) -> dict[str, Any] | None:
    if given.spec_method is None and given.spec_model is None:
        return None
    method = given.spec_method or "draft_model"
    return {"method": method, "model": given.spec_model, "num_speculative_tokens": given.spec_tokens or 1}
