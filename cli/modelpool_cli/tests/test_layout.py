"""Which programs a local pool consists of."""

import json
from pathlib import Path

from modelpool_cli import manifests
from modelpool_cli.local import layout
from modelpool_cli.plan import report as reports
from modelpool_operator.api import parsing
from modelpool_operator.planning.manifests import engine_keys
from modelpool_operator.planning.sharing.shares import Placement


def test_a_model_may_be_called_as_a_server_is() -> None:
    shares = {"engine": "vllm", "source": "hf://a/b", "gpuMemoryFraction": 0.3}
    models = [{"name": name, **shares} for name in ("ollama", "gateway")]
    pool = parsing.from_body(
        {
            "apiVersion": "modelpool.dev/v1alpha1",
            "kind": "ModelPool",
            "metadata": {"name": "a"},
            "spec": {"gpus": {"memory": "24Gi"}, "models": models},
        }
    )
    placement = reports.decide_here(pool)
    assert isinstance(placement, Placement)
    engines = layout.names_of_engines(pool, placement)
    ports = {name: 1000 + number for number, name in enumerate(engines)}
    place = layout.Place(folder=Path("/pool"), ports=ports, listen=("127.0.0.1:8100",), release=b"0123456789abcdef")
    programs = layout.programs(pool, placement, place, layout.Commands())
    assert len(ports) == 3
    assert len({program.name for program in programs}) == len(programs) == 6
    assert len({program.log for program in programs}) == len(programs)
    on_cards = [program for program in programs if "CUDA_VISIBLE_DEVICES" in program.env]
    assert len(on_cards) == 3
    assert {program.env["CUDA_DEVICE_ORDER"] for program in on_cards} == {"PCI_BUS_ID"}
    asking = {program.name: program.env["VLLM_API_KEY"] for program in programs if "VLLM_API_KEY" in program.env}
    assert asking.keys() == {"ollama", "gateway"}, "the models of these names"
    assert set(asking.values()) == {engine_keys.key_of(b"0123456789abcdef", "default", "a", "")}
    assert b'"keyed": true' in layout.routes_document(pool, placement, place)
    assert not [word for program in programs for word in program.argv if next(iter(asking.values())) in word]


def test_stand_ins_beside_a_share_are_served_by_a_program_that_sees_no_card() -> None:
    pool = manifests.read_pool(Path(__file__).parents[3] / "examples" / "two-gpu-12gb.yaml")
    placement = reports.decide_here(pool)
    assert isinstance(placement, Placement)
    ports = {name: 1000 + number for number, name in enumerate(layout.names_of_engines(pool, placement))}
    place = layout.Place(folder=Path("/pool"), ports=ports, listen=("127.0.0.1:8100",), release=b"0123456789abcdef")
    found = {one.name: one for one in layout.programs(pool, placement, place, layout.Commands())}
    first, second = found[layout.OLLAMA], found[layout.OLLAMA_CPU]
    assert (first.env["CUDA_VISIBLE_DEVICES"], second.env["CUDA_VISIBLE_DEVICES"]) == ("0", "-1")
    assert first.env["OLLAMA_MODELS"] == second.env["OLLAMA_MODELS"]
    document = json.loads(layout.routes_document(pool, placement, place))
    urls = {model["name"]: model["backends"][-1]["url"] for model in document["models"]}
    on_card, beside = (f"http://{one.env['OLLAMA_HOST']}" for one in (first, second))
    assert urls == {"gemma3:4b": beside, "qwen3:8b": beside, "cogito:8b": on_card, "qwen2.5-vl:7b": on_card}
