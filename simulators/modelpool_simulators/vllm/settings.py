"""What the simulated vLLM does that the real one's flags do not say: speeds, sizes, planned failures.

One frozen value, read once from `FAKE_VLLM_*` variables; `cards.from_environment` reads what concerns the simulated
cards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .. import quantities


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Each field is the variable `FAKE_VLLM_<FIELD>`."""

    download: int | None = None
    """Bytes of weights ('8Mi') to fetch into HF_HOME before they are read; absent: they are there already."""
    load_seconds: float = 2.0
    """Time to read the weights, before memory is profiled."""
    profile_seconds: float = 0.5
    """Time to profile memory; what neighbours do to the card meanwhile is mistaken for our own doing."""
    prefill_tokens_per_second: float = 6000.0
    """Rate at which prompts are computed."""
    decode_tokens_per_second: float = 80.0
    """Rate of one sequence alone."""
    batch_slowdown: float = 0.03
    """Share by which each further sequence in the batch lengthens a step: 16 at once take 1.45 times as long as one."""
    draft_acceptance: float = 0.6
    """Share of speculative tokens that is accepted, when speculation is on."""
    weights: int | None = None
    """Bytes of the weights ('6.1Gi'); absent: looked up or guessed from the model's name."""
    activations: int = int(0.6 * quantities.GIB)
    """Transient peak seen while profiling."""
    graphs: int = int(0.4 * quantities.GIB)
    """CUDA graphs; 0 with --enforce-eager."""
    sliced: bool = False
    """It runs in a slice of a card that HAMi enforces: measuring CUDA graphs runs out of memory (vllm#40937)."""
    context_length: int | None = None
    """What the model's config.json says; absent: looked up."""
    unprofiled_cache_tokens: int = 131072
    """Room for tokens when no card is simulated."""
    reply: str | None = None
    """Answer with this text, calling no tools unless they are required; absent: sentences made up from the prompt."""
    thought: str | None = None
    """Reasoning of models that think; absent: made up."""
    sentences: int = 3
    """Natural length of made-up answers."""
    start_error: str | None = None
    """Fail while loading, with this as the last line and exit status 1."""
    fail_before_first_byte: int = 0
    """Close the connection of this many first generation requests before a byte is sent."""
    die_after_tokens: int | None = None
    """The engine dies after so many generated tokens, as when its process is killed. SIGUSR1 does it at once."""
    embedding_dimensions: int = 128
    """Length of embedding vectors."""
    api_key: str | None = None
    """From `VLLM_API_KEY`, as the real server reads it; joins the keys of --api-key."""
    home: str | None = None
    """From `HF_HOME`, as the real server reads it: the folder for what is downloaded."""


_PREFIX = "FAKE_VLLM_"


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings; raises ValueError that names variable, value and expectation."""
    port = environment.get("VLLM_PORT", "")
    if "://" in port:
        raise ValueError(
            f"VLLM_PORT '{port}' appears to be a URI. This may be caused by a Kubernetes service discovery issue,"
            "check the warning in: https://docs.vllm.ai/en/stable/serving/env_vars.html"
        )
    readers: dict[str, Callable[[str], object]] = {
        "download": quantities.parse,
        "weights": quantities.parse,
        "activations": quantities.parse,
        "graphs": quantities.parse,
        "context_length": int,
        "unprofiled_cache_tokens": int,
        "reply": str,
        "thought": str,
        "start_error": str,
        "sliced": lambda text: bool(int(text)),
        "sentences": int,
        "fail_before_first_byte": int,
        "die_after_tokens": int,
        "embedding_dimensions": int,
    }
    values: dict[str, object] = {"api_key": environment.get("VLLM_API_KEY"), "home": environment.get("HF_HOME")}
    for variable, text in environment.items():
        field = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or text == "":
            continue
        if field not in Settings.__dataclass_fields__:
            raise ValueError(f"{variable} is no setting of the simulated vLLM")
        try:
            values[field] = readers.get(field, _positive)(text)
        except ValueError as error:
            raise ValueError(f"{variable} {error}") from None
    return Settings(**values)  # type: ignore[arg-type]


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"must be a number, got {text!r}") from None
    if value < 0:
        raise ValueError(f"must not be negative, got {text!r}")
    return value
