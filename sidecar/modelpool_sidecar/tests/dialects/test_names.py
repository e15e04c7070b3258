import pytest

from modelpool_sidecar.dialects import names


@pytest.mark.parametrize(
    ("requested", "want"),
    [
        ("qwen3:8b", "qwen3:8b"),
        ("QWEN3:8B", "qwen3:8b"),
        ("cogito", "cogito:latest"),
        ("cogito:latest", "cogito:latest"),
        ("gemma", "gemma"),
        ("gemma:latest", "gemma"),
        ("Gemma", "gemma"),
        ("library/qwen3:8b", "qwen3:8b"),
        ("registry.ollama.ai/library/qwen3:8b", "qwen3:8b"),
        ("qwen/qwen3-8b", "Qwen/Qwen3-8B"),
        ("Qwen/Qwen3-8B:latest", "Qwen/Qwen3-8B"),
        ("localhost:5000/own/model", "localhost:5000/own/model:latest"),
        ("qwen3", None),
        ("other/qwen3:8b", None),
        ("", None),
    ],
)
def test_match(requested: str, want: str | None) -> None:
    configured = ["qwen3:8b", "cogito:latest", "gemma", "Qwen/Qwen3-8B", "localhost:5000/own/model:latest"]
    assert names.match(requested, configured) == want


def test_the_exact_name_wins_over_an_earlier_equal_one() -> None:
    assert names.match("Llama", ["llama:latest", "llama", "Llama"]) == "Llama"
    assert names.match("LLAMA", ["llama:latest", "llama", "Llama"]) == "llama:latest"
