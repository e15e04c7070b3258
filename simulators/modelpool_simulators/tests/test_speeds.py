"""The file of speeds: what it lists, what it leaves, what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelpool_simulators import batching, speeds

_DEFAULT = batching.Pace(prefill_tokens_per_second=6000, decode_tokens_per_second=80, batch_slowdown=0.03)


def _read(folder: Path, text: str) -> speeds.Speeds:
    (folder / "speeds.json").write_text(text)
    return speeds.from_environment({"MODELPOOL_SIMULATED_SPEEDS": str(folder / "speeds.json")})


def test_without_a_file_nothing_changes() -> None:
    assert speeds.from_environment({}).pace(["qwen3:8b"], _DEFAULT) is _DEFAULT


def test_a_listed_model_computes_in_compressed_time(tmp_path: Path) -> None:
    told = _read(tmp_path, '{"compression": 40, "models": {"qwen3:8b": {"decode_tokens_per_second": 100}}}')
    pace = told.pace(["Qwen/Qwen3-8B-AWQ", "qwen3:8b"], _DEFAULT)
    assert (pace.prefill_tokens_per_second, pace.decode_tokens_per_second) == (240_000, 4000)
    assert pace.batch_slowdown == 0.03
    assert told.pace(["gemma3:4b"], _DEFAULT) is _DEFAULT


@pytest.mark.parametrize(
    "text", ["", "[]", '{"models": {"a": {"speed": 3}}}', '{"models": {}, "factor": 2}', '{"models": {"a": 1}}']
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="MODELPOOL_SIMULATED_SPEEDS"):
        _read(tmp_path, text)
