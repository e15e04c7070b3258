"""The command line of `vllm serve`: what it reads, and how it refuses."""

import argparse
import re

import pytest

from modelpool_simulators import recordings
from modelpool_simulators.vllm import flags


def test_every_flag_of_the_real_server_is_known() -> None:
    parser = argparse.ArgumentParser()
    flags.add_serve_flags(parser)
    listed = (recordings.ROOT / "vllm/00-serve-flags.txt").read_text().splitlines()
    names = {line.split(",")[0].strip() for line in listed if line.startswith("--")} - {"--help", "--json-arg"}
    assert len(names) > 300
    assert names - set(re.findall(r"--[a-z0-9-]+", parser.format_help())) == set()


def test_the_operators_command_line_is_read() -> None:
    given = flags.parse(
        [
            "serve",
            "Qwen/Qwen3-8B-AWQ",
            "--served-model-name",
            "qwen3:8b",
            "qwen3",
            "--gpu-memory-utilization=0.35",
            "--max-model-len=8192",
            "--max_num_seqs",
            "16",
            "--speculative-config",
            '{"method":"ngram","num_speculative_tokens":4}',
            "--enable-auto-tool-choice",
            "--tool-call-parser=hermes",
            "--kv-cache-memory",
            "1G",
            "--no-enable-prefix-caching",
        ]
    )
    assert (given.model, given.name, given.served_names) == ("Qwen/Qwen3-8B-AWQ", "qwen3:8b", ("qwen3:8b", "qwen3"))
    assert (given.gpu_memory_utilization, given.max_model_len, given.max_num_seqs) == (0.35, 8192, 16)
    assert given.speculative == {"method": "ngram", "num_speculative_tokens": 4}
    assert (given.auto_tool_choice, given.tool_call_parser) == (True, "hermes")
    assert (given.kv_cache_memory_bytes, given.prefix_caching) == (1024**3, False)


@pytest.mark.parametrize(("text", "want"), [("auto", -1), ("-1", -1), ("4k", 4000), ("4K", 4096), ("2048", 2048)])
def test_lengths_are_read_as_vllm_does(text: str, want: int) -> None:
    assert flags.parse(["serve", "m", f"--max-model-len={text}"]).max_model_len == want


@pytest.mark.parametrize(
    ("arguments", "recording"),
    [
        (["--no-such-flag", "1"], "90-unknown-flag"),
        (["--speculative-model", "/models/tiny-qwen3-draft"], "91-legacy-speculative-model"),
        (["--speculative-config", "{bad"], "95-bad-spec-json"),
    ],
)
def test_refusals_read_as_recorded(arguments: list[str], recording: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        flags.parse(["serve", "m", *arguments])
    written = capsys.readouterr().err.splitlines()
    recorded = (recordings.ROOT / f"vllm/{recording}.txt").read_text().splitlines()
    assert left.value.code == 2
    assert written[0] in recorded
    assert written[-1].split(" at 0x")[0] == recorded[-1].split(" at 0x")[0]
