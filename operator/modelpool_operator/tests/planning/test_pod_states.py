"""The line of a log that tells what went wrong: of recorded starts that fail, cut as Kubernetes cuts them."""

from pathlib import Path

import pytest

from modelpool_operator.planning.observation.log_lines import ERROR_LENGTH, last_error

RECORDINGS = Path(__file__).parents[4] / "simulators/modelpool_simulators/recordings/vllm"
TERMINATION_MESSAGE = 2048
"""Characters that the kubelet keeps of a log (FallbackToLogsOnError)."""

STARTS = {
    "90-unknown-flag": "vllm: error: unrecognized arguments: --no-such-flag 1",
    "92-missing-model": "huggingface_hub.errors.HFValidationError: Repo id must be in the form",
    "93-max-model-len-too-big": "Value error, User-specified max_model_len (100000) is greater than the derived",
    "94-quantization-awq": "Value error, Cannot find the config file for awq",
    "95-bad-spec-json": "vllm serve: error: argument --speculative-config/-sc: Value {bad cannot be converted",
    "96-gpu-mem-util-0.95-no-room": "ValueError: Available memory on node 0 (20.65/23.54 GiB) on startup is less",
    "97-sleep-mode-unsupported": "Value error, Sleep mode is not supported on current platform.",
}


@pytest.mark.parametrize(("recording", "want"), STARTS.items(), ids=STARTS.keys())
def test_a_recorded_start_that_fails(recording: str, want: str) -> None:
    log = (RECORDINGS / f"{recording}.txt").read_text(encoding="utf-8")
    found = last_error(log[-TERMINATION_MESSAGE:])
    assert found.startswith(want)
    assert "input_value" not in found


LINES = {
    "nothing": ("", ""),
    "no error at all": ("one\ntwo\n\n", "two"),
    "an error before other lines": ("ValueError: no\nshutting down\n", "ValueError: no"),
    "a pointer to the cause above": (
        "ValueError: no\nRuntimeError: Engine core initialization failed. See root cause above.",
        "ValueError: no",
    ),
    "Ollama's": ("Error: pull model manifest: file does not exist", "Error: pull model manifest: file does not exist"),
    "a long one": ("ValueError: " + "x" * 900, "ValueError: " + "x" * (ERROR_LENGTH - 13) + "…"),
}


@pytest.mark.parametrize(("log", "want"), LINES.values(), ids=LINES.keys())
def test_the_last_line_that_tells(log: str, want: str) -> None:
    assert last_error(log) == want
