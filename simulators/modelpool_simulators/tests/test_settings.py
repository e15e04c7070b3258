"""Settings come from the environment, wrong ones are named, and the README lists them all."""

from pathlib import Path

import pytest

from modelpool_simulators.ollama import settings as ollama
from modelpool_simulators.vllm import settings as vllm

_README = Path(__file__).parents[2] / "README.md"
_READ_BY_VLLM = {"api_key", "home"}
_READ_BY_OLLAMA = {"host", "port", "models", "num_parallel", "max_loaded_models"}
_READ_BY_OLLAMA |= {"keep_alive", "context_length", "gpu_overhead", "max_queue", "origins"}


def test_the_readme_names_every_setting() -> None:
    text = _README.read_text()
    names = {f"FAKE_VLLM_{field.upper()}" for field in vllm.Settings.__dataclass_fields__ if field not in _READ_BY_VLLM}
    own = {field for field in ollama.Settings.__dataclass_fields__ if field not in _READ_BY_OLLAMA}
    names |= {f"FAKE_OLLAMA_{field.upper()}" for field in own}
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_vllm_settings_are_read() -> None:
    settings = vllm.from_environment(
        {"FAKE_VLLM_WEIGHTS": "6.1Gi", "FAKE_VLLM_LOAD_SECONDS": "0.5", "VLLM_API_KEY": "k", "HOME": "/"}
    )
    assert (settings.weights, settings.load_seconds, settings.api_key) == (int(6.1 * 1024**3), 0.5, "k")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"FAKE_VLLM_SPEED": "1"}, "FAKE_VLLM_SPEED is no setting of the simulated vLLM"),
        ({"FAKE_VLLM_WEIGHTS": "heavy"}, "FAKE_VLLM_WEIGHTS must be bytes or a size"),
        ({"FAKE_VLLM_LOAD_SECONDS": "-1"}, "FAKE_VLLM_LOAD_SECONDS must not be negative"),
        ({"VLLM_PORT": "tcp://10.0.0.1:8000"}, "appears to be a URI"),
    ],
)
def test_wrong_vllm_settings_are_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        vllm.from_environment(environment)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", ("127.0.0.1", 11434)),
        ("0.0.0.0", ("0.0.0.0", 11434)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        (":8080", ("127.0.0.1", 8080)),
        ("http://agentic-ollama:11434/", ("agentic-ollama", 11434)),
        ("http://agentic-ollama", ("agentic-ollama", 80)),
    ],
)
def test_ollama_hosts_are_read_as_ollama_does(text: str, want: tuple[str, int]) -> None:
    settings = ollama.from_environment({"OLLAMA_HOST": text})
    assert (settings.host, settings.port) == want


def test_ollama_settings_are_read() -> None:
    settings = ollama.from_environment(
        {"OLLAMA_KEEP_ALIVE": "30m", "OLLAMA_MAX_LOADED_MODELS": "0", "FAKE_OLLAMA_PRELOADED": "a, b:1b"}
    )
    assert (settings.keep_alive, settings.max_loaded_models, settings.preloaded) == (1800, 3, ("a", "b:1b"))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"FAKE_OLLAMA_SPEED": "1"}, "FAKE_OLLAMA_SPEED is no setting"),
        ({"OLLAMA_KEEP_ALIVE": "soon"}, "OLLAMA_KEEP_ALIVE='soon'"),
        ({"OLLAMA_HOST": "here:there"}, "OLLAMA_HOST must be host:port"),
    ],
)
def test_wrong_ollama_settings_are_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ollama.from_environment(environment)
