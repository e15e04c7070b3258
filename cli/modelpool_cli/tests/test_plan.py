"""`modelpool plan`, as a user calls it, on the repository's examples."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from modelpool_cli.__main__ import main

EXAMPLES = Path(__file__).parents[3] / "examples"
GIB = 1024**3


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, captured.out, captured.err


def test_a_pool_that_fits_is_shown_card_by_card(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "plan", EXAMPLES / "single-gpu-24gb.yaml")
    assert status == 0
    rows = {line.split()[1].rstrip(","): line for line in out.splitlines() if line.startswith("0 ")}
    assert "0.35  8.4 + 0.5      1" in rows["qwen3:8b"]
    assert "0.30  7.2 + 0.5      2" in rows["cogito:8b"]
    assert "0.25  6.0 + 0.5      3" in rows["gemma3:4b"]
    assert "23.1 of 24.0 GiB planned, 0.9 free" in out
    assert "On Ollama: qwen3:4b-instruct-2507-q8_0, qwen2.5-vl:7b" in out
    assert "gemma3:4b: vllm serve RedHatAI/gemma-3-4b-it-quantized.w4a16 --served-model-name gemma3:4b" in out


def test_the_numbers_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "plan", EXAMPLES / "two-gpu-12gb.yaml", "-o", "json")
    plan = json.loads(out)
    assert (status, plan["verdict"]) == (0, "fits")
    for card in plan["cards"]:
        held = sum(entry["shareBytes"] + entry["overheadBytes"] for entry in card["models"])
        assert held == card["plannedBytes"]
        assert card["plannedBytes"] + card["reserveBytes"] + card["freeBytes"] == card["memoryBytes"] == 12 * GIB
        for entry in card["models"]:
            assert sum(term["bytes"] for term in entry["arithmetic"]) <= entry["shareBytes"]


def test_every_card_is_spelled_out_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = EXAMPLES / "two-gpu-12gb.yaml"
    plan = json.loads(run(capsys, "plan", path, "-o", "json")[1])
    table = run(capsys, "plan", path)[1]
    for card in plan["cards"]:
        assert sum(line["bytes"] for line in card["arithmetic"]) == card["memoryBytes"]
        for line in card["arithmetic"]:
            assert f"{line['shown']:>10}  {line['label']}\n" in table
            if "of" in line:
                assert sum(part["bytes"] for part in line["of"]) == line["bytes"]
                assert " + ".join(f"{part['shown']} {part['label']}" for part in line["of"]) in table
    assert "ollama on card 0: card 1 has 1.30Gi free, needs 6.00Gi\n" in table


def test_who_stands_in_on_the_cpu_and_what_may_exceed_ollamas_share_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = run(capsys, "plan", EXAMPLES / "two-gpu-12gb.yaml")
    assert "Ollama stands in for: gemma3:4b (on the CPU), qwen3:8b (on the CPU)\n" in out
    said = out.replace("\n", " ")
    assert "Note: qwen2.5vl:7b: takes about 6.49Gi on Ollama, more than `ollama.gpuMemory` 5.50Gi" in said
    assert "cogito:8b: takes" not in said
    assert "on the CPU" not in run(capsys, "plan", EXAMPLES / "single-gpu-24gb.yaml")[1]


def test_the_flags_are_those_of_the_way_of_sharing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (EXAMPLES / "single-gpu-24gb.yaml").read_text()
    path = tmp_path / "pool.yaml"
    path.write_text(text.replace("sharing: timeSlicing", "sharing: hami"))
    plan = json.loads(run(capsys, "plan", path, "-o", "json")[1])
    told = {entry["model"]: entry["arguments"] for entry in plan["cards"][0]["models"]}
    words = told["qwen3:8b"]
    assert words[words.index("--gpu-memory-utilization") + 1] == "0.921"
    assert "--kv-cache-memory-bytes" in words


def test_a_pool_that_does_not_fit_is_refused_with_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "plan", EXAMPLES / "does-not-fit.yaml", "-o", "json")
    plan = json.loads(out)
    assert (status, plan["verdict"], plan["reason"]) == (1, "refused", "CardOverfull")
    assert "card 0 has 12.00Gi" in plan["message"]
    assert "16.40Gi" in plan["message"]
    assert sum(term["bytes"] for term in plan["arithmetic"]) == plan["needBytes"] > plan["haveBytes"] == 12 * GIB
    status, out, _ = run(capsys, "plan", EXAMPLES / "does-not-fit.yaml")
    assert status == 1
    assert out.startswith("default/does-not-fit does not fit: CardOverfull\n")


def test_the_picture_is_drawn_to_scale(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "plan", EXAMPLES / "single-gpu-24gb.yaml", "-o", "svg")
    assert status == 0
    space = "{http://www.w3.org/2000/svg}"
    blocks = {
        group.findtext(f"{space}text"): float(group.findall(f"{space}rect")[0].get("width", "0"))
        for group in ET.fromstring(out).iter(f"{space}g")
    }
    assert blocks["qwen3:8b"] / blocks["gemma3:4b"] == pytest.approx(0.35 / 0.25, rel=0.01)
    status, out, _ = run(capsys, "plan", EXAMPLES / "does-not-fit.yaml", "-o", "svg")
    assert status == 1
    assert "<svg" not in out


def test_a_pool_that_the_operator_would_refuse_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (EXAMPLES / "two-gpu-12gb.yaml").read_text()
    path = tmp_path / "pool.yaml"
    path.write_text(text.replace("sharing: visibleDevices", "sharing: timeSlicing"))
    status, out, _ = run(capsys, "plan", path)
    assert status == 1
    assert "SharingNotPossible" in out
    assert "`gpus.count` must be 1 with sharing 'timeSlicing', got 2" in out.replace("\n", " ")


def two_pools(selector: str, second: float = 0.8) -> str:
    """Return a file with two pools on cards that they are shown by index."""
    return "---".join(
        f"""
apiVersion: modelpool.dev/v1alpha1
kind: ModelPool
metadata: {{name: {name}}}
spec:
  gpus: {{memory: 24Gi, sharing: visibleDevices}}
  nodeSelector: {{{selector}}}
  ollama: {{enabled: false}}
  models: [{{name: {name}:1, engine: vllm, source: "pvc://weights/unknown", gpuMemoryFraction: {size}}}]
"""
        for name, size in (("first", 0.8), ("second", second))
    )


def test_the_pools_of_one_file_are_planned_beside_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pools.yaml"
    path.write_text(two_pools("kubernetes.io/hostname: gpu-1"))
    status, out, _ = run(capsys, "plan", path, "-o", "json")
    first, second = json.loads(out)
    assert (status, first["verdict"], second["reason"]) == (1, "fits", "CardHeld")
    assert "card 0 of node gpu-1 has 24.00Gi, of which others hold 19.70Gi" in second["message"]
    assert "pool default/first (first:1)" in second["message"]

    path.write_text(two_pools("kubernetes.io/hostname: gpu-1", second=0.1))
    status, out, _ = run(capsys, "plan", path, "-o", "json")
    (card,) = json.loads(out)[1]["cards"]
    assert (status, sum(line["bytes"] for line in card["arithmetic"])) == (0, 24 * GIB)
    assert card["plannedBytes"] + card["heldBytes"] + card["reserveBytes"] + card["freeBytes"] == 24 * GIB
    assert "held by pool default/first (first:1)" in out
    assert "19.7 held by others" in run(capsys, "plan", path)[1]


def test_pools_of_which_only_the_cluster_knows_the_node_are_told_what_one_node_would_have_no_room_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pools.yaml"
    path.write_text(two_pools("gpu: large"))
    status, out, _ = run(capsys, "plan", path, "-o", "json")
    first, second = json.loads(out)
    assert (status, first["verdict"], second["verdict"]) == (0, "fits", "fits")
    assert "on one node with the pools before it in this file there is no room" in "; ".join(second["notes"])


BAD_FILES = {
    "no such file": (None, "No such file or directory"),
    "no YAML": ("a: [", "no valid YAML"),
    "another kind": ("kind: Secret", "must hold a ModelPool, found none"),
    "another version": (
        "{apiVersion: modelpool.dev/v9, kind: ModelPool}",
        "must be `apiVersion: modelpool.dev/v1alpha1`",
    ),
    "no models": (
        "{apiVersion: modelpool.dev/v1alpha1, kind: ModelPool, metadata: {name: a}, spec: {}}",
        "missing required field `models`",
    ),
    "a misspelt field": (
        "{apiVersion: modelpool.dev/v1alpha1, kind: ModelPool, metadata: {name: a}, spec: {models: [], gpu: {}}}",
        "unknown field `gpu`",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_is_named_with_what_is_wrong(
    text: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pool.yaml"
    if text is not None:
        path.write_text(text)
    status, out, err = run(capsys, "plan", path)
    assert (status, out) == (2, "")
    assert err.startswith(f"modelpool: {path}: ")
    assert message in err
