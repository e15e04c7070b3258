"""The engines' images: the operator's own where none is named, and what is said of others."""

from typing import Any

import pytest

from modelpool_operator.api.models import Engine
from modelpool_operator.planning.changes.notes import notes_on
from modelpool_operator.planning.engines import images
from modelpool_operator.planning.engines.images import Release, image_of, note_on
from modelpool_operator.planning.engines.vllm.arguments import arguments
from modelpool_operator.tests.api.crd import ROOT, SCHEMA, defaulted
from modelpool_operator.tests.planning.pools import ollama, placed, pool_of, spec_of, two_cards, vllm

RECORDINGS = ROOT / "simulators" / "modelpool_simulators" / "recordings"
LATER = {
    Engine.VLLM: Release("vllm/vllm-openai:v0.40.0", "vllm-openai", ("0.39", "0.40")),
    Engine.OLLAMA: Release("ollama/ollama:0.40.0", "ollama", ("0.40",)),
}


def test_the_api_server_writes_no_image_into_a_pool() -> None:
    written = {"models": [{"name": "a", "engine": "vllm"}], "vllm": {}, "ollama": {}}
    assert defaulted(SCHEMA["properties"]["spec"], written) == written


@pytest.mark.parametrize("engine", Engine)
def test_a_pool_that_names_no_image_follows_its_operator(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    spec = spec_of(vllm("a", 0.5))
    assert image_of(spec, engine) == images.RELEASES[engine].image
    monkeypatch.setattr(images, "RELEASES", LATER)
    assert image_of(spec, engine) == LATER[engine].image
    assert note_on(spec, engine) is None


@pytest.mark.parametrize("engine", Engine)
def test_what_an_earlier_crd_wrote_stays_and_is_told(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    written = images.WRITTEN_BY_THE_CRD[engine]
    named: dict[str, Any] = {engine.value: {"image": written}}
    pool = pool_of(vllm("a", 0.5), ollama("b"), **named)
    assert notes_on(pool) == ()
    monkeypatch.setattr(images, "RELEASES", LATER)
    assert image_of(pool.spec, engine) == written
    (note,) = notes_on(pool)
    assert note.startswith(f"`{engine.value}.image` is '{written}', which an earlier CRD wrote into every pool: remove")
    assert f"'{LATER[engine].image}'" in note


IMAGES = {
    "vllm/vllm-openai:v0.33.1": None,
    "registry.example:5000/mirror/vllm-openai:v0.32.0-cu129@sha256:00": None,
    "vllm/vllm-openai:v0.30.2": "0.30",
    "vllm/vllm-openai:v0.34.0": "0.34",
    "vllm/vllm-openai:nightly": None,
    "example/our-engine:7.1": None,
    "vllm/vllm-openai@sha256:00": None,
    "vllm/vllm-openai": None,
}


@pytest.mark.parametrize("image", IMAGES)
def test_a_version_that_is_not_known_is_told(image: str) -> None:
    spec, version = spec_of(vllm("a", 0.5), vllm={"image": image}), IMAGES[image]
    told = "and this operator knows 0.32 and 0.33: the engine may not take its arguments"
    assert note_on(spec, Engine.VLLM) == (f"`vllm.image` is version {version}, {told}" if version else None)


@pytest.mark.parametrize("engine", Engine)
def test_every_version_of_an_operator_knows_its_own_image(engine: Engine) -> None:
    found = images._TAG.search(images.RELEASES[engine].image)
    assert found is not None
    assert found[2] == images.RELEASES[engine].known[-1]
    field = SCHEMA["properties"]["spec"]["properties"][engine.value]["properties"]["image"]["description"]
    assert f"`{images.RELEASES[engine].image}`" in field
    assert f" {' and '.join(images.RELEASES[engine].known)}" in field


def test_the_oldest_known_vllm_takes_every_argument_that_the_operator_sends() -> None:
    """Against what the parser of vLLM 0.32 listed."""
    known = (RECORDINGS / "vllm" / "00-serve-flags.txt").read_text().replace(",", " ").split()
    model = vllm("a", 0.5, source="hf://a/b@c", kvCacheMemory="1Gi", contextLength=1, tensorParallelSize=2)
    model |= {"speculative": {"method": "ngram"}, "adapters": [{"name": "l", "source": "hf://a/l"}]}
    model |= {"capabilities": ["embedding"], "reasoningParser": "qwen3", "toolCallParser": "hermes"}
    spec = spec_of(model, **two_cards("24Gi"))
    sent = arguments(spec, spec.models[0], placed(model, **two_cards("24Gi")).shares[0])
    assert [arg for arg in sent if arg.startswith("--") and arg not in known] == []
    assert "vLLM 0.32" in (RECORDINGS / "README.md").read_text()
