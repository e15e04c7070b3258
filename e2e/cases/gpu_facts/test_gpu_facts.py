"""The measuring program without a card: what it says then, and that its processes, sums and page are right.

A pretended PyTorch and a pretended nvidia-smi stand for a card, so that the program has something to add up. What it
measures on a real card, only a real card can tell.
"""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "bench" / "gpu_facts.py"
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "gpu-facts.md"
GIB = 1024**3

SMI = """#!/bin/sh
echo "Pretended 24GB, 1.2.3, 24576, $(($(cat "$PRETENDED_CARD") / 1048576))"
"""


def run(*arguments: str, **environment: str) -> tuple[Any, str]:
    """Run the program; return what its last line says, and what it said beside."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1]), done.stderr


def test_without_a_card_it_says_so_and_measures_nothing(tmp_path: Path) -> None:
    facts, said = run(PATH=str(tmp_path))
    assert facts["card"] is None
    assert "Nothing was measured: there is neither pynvml nor nvidia-smi" in said


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What it measures of the pretended card, with shorter runs."""
    folder = tmp_path_factory.mktemp("card")
    (folder / "free").write_text(str(24 * GIB))
    smi = folder / "nvidia-smi"
    smi.write_text(SMI)
    smi.chmod(0o755)
    program = folder / "gpu_facts.py"
    program.write_text(PROGRAM.read_text().replace("RUN_SECONDS = 5.0", "RUN_SECONDS = 0.1"))
    done = subprocess.run(
        [sys.executable, str(program)],
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parent / "pretended"),
            "PRETENDED_CARD": str(folder / "free"),
        },
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["card"] == "Pretended 24GB", done.stderr
    return found


def test_each_process_takes_what_it_takes_alone(facts: Any) -> None:
    each = {"context": 0.586, "cublas": 0.098, "nccl": 0.537}
    assert [{key: pytest.approx(value, abs=0.002) for key, value in each.items()}] * 3 == facts["overhead_gib"]


def test_a_neighbours_memory_is_seen_by_all(facts: Any) -> None:
    assert facts["neighbour"] == {"allocated_gib": 2.0, "seen_less_gib": 2.0, "seen_back_gib": 2.0}


def test_rates_of_three_add_up(facts: Any) -> None:
    for kind in ("compute_tflops", "copy_gb_per_second"):
        assert facts[kind]["sum"] == pytest.approx(sum(facts[kind]["together"]), rel=0.01)
        assert len(facts[kind]["together"]) == 3


def test_the_page_gets_a_section_and_keeps_the_others(facts: Any, tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "facts.json"
    page.write_text(PAGE.read_text())
    figures.write_text(json.dumps(facts))
    run("--from", str(figures), "--docs", str(page))
    once = page.read_text()
    assert once.count("## Pretended 24GB") == 1
    assert once.index("## NVIDIA H100") < once.index("## Pretended 24GB") < once.index("## What follows")
    run("--from", str(figures), "--docs", str(page))
    assert page.read_text() == once
    assert runpy.run_path(str(PROGRAM))["section"](facts) in once
