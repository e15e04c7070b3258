"""The engines that `--simulate` runs in place of `vllm` and `ollama`: the same command lines, no GPU.

Speeds are those of a 24 GB card within a factor of two, waiting times are a tenth: a demonstration must not bore.
"""

import sys
from pathlib import Path

from modelpool_cli.local.layout import Commands
from modelpool_operator.api.pool import ModelPool


def commands(folder: Path, pool: ModelPool) -> Commands:
    """Return how the simulated engines are called; `folder` holds what they share: the cards' memory, pulled models."""
    memory = pool.spec.gpus.memory
    return Commands(
        vllm=(sys.executable, "-m", "modelpool_simulators.vllm"),
        ollama=(sys.executable, "-m", "modelpool_simulators.ollama"),
        env={
            "MODELPOOL_SIMULATED_CARDS": str(folder / "cards"),
            **({"MODELPOOL_SIMULATED_CARD_MEMORY": memory.text} if memory else {}),
            "OLLAMA_MODELS": str(folder / "ollama"),
            "FAKE_VLLM_LOAD_SECONDS": "0.8",
            "FAKE_VLLM_PROFILE_SECONDS": "0.2",
            "FAKE_OLLAMA_LOAD_SECONDS": "0.4",
            "FAKE_OLLAMA_PULL_SECONDS": "0.5",
        },
    )
