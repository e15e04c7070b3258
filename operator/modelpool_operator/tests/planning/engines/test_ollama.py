"""Which models a pool wants of Ollama, and the pod that pulls one."""

from typing import Any

import pytest

from modelpool_operator.planning.engines.ollama import models as engine
from modelpool_operator.tests.planning.pools import ollama, pool_of, spec_of, vllm

PULLS: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any], tuple[str, ...]]] = {
    "an Ollama model": ((ollama("a"),), {}, ("a",)),
    "a model under another name": ((ollama("a", source="ollama://b:7b"),), {}, ("b:7b",)),
    "a fallback, by the model's own name": ((vllm("a", 0.5),), {}, ("a",)),
    "a fallback by its name": ((vllm("a", 0.5, fallback={"model": "b"}),), {}, ("b",)),
    "no fallback": ((vllm("a", 0.5, fallback={"enabled": False}),), {}, ()),
    "no Ollama": ((vllm("a", 0.5),), {"ollama": {"enabled": False}}, ()),
    "one name for two": ((vllm("a", 0.5, fallback={"model": "b"}), ollama("b")), {}, ("b",)),
}


@pytest.mark.parametrize(("models", "spec", "want"), PULLS.values(), ids=PULLS.keys())
def test_what_is_pulled(models: tuple[dict[str, Any], ...], spec: dict[str, Any], want: tuple[str, ...]) -> None:
    found = spec_of(*models, **spec)
    assert engine.models_to_pull(found) == want
    assert engine.is_needed(found) is bool(want)


def test_a_pull_asks_the_server_and_needs_no_right_of_its_own() -> None:
    pod = engine.client_template(pool_of(ollama("cogito:8b")), "cogito:8b", "pull", ["ollama", "pull", "cogito:8b"])[
        "spec"
    ]
    (container,) = pod["containers"]
    assert container["command"] == ["ollama", "pull", "cogito:8b"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    assert variables["OLLAMA_HOST"] == "http://agentic-ollama:11434"
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["restartPolicy"] == "OnFailure"
