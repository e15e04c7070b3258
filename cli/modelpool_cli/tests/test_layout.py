"""Which programs a local pool consists of."""

from pathlib import Path

from modelpool_cli.local import layout
from modelpool_cli.plan import report as reports
from modelpool_operator.api import parsing
from modelpool_operator.planning.placement import Placement


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
    place = layout.Place(folder=Path("/pool"), ports=ports, listen=("127.0.0.1:8100",))
    programs = layout.programs(pool, placement, place, layout.Commands())
    assert len(ports) == 3
    assert len({program.name for program in programs}) == len(programs) == 6
    assert len({program.log for program in programs}) == len(programs)
    on_cards = [program for program in programs if "CUDA_VISIBLE_DEVICES" in program.env]
    assert len(on_cards) == 3
    assert {program.env["CUDA_DEVICE_ORDER"] for program in on_cards} == {"PCI_BUS_ID"}
