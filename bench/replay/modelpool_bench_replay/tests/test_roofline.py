"""Published speeds: the counting reproduces the measurements that it was taken from."""

import pytest

from modelpool_bench_replay import roofline, speeds


def test_arithmetic_share_gives_back_the_published_prompt_speed() -> None:
    llama = roofline.Weights(
        source="Llama-3.1-8B AWQ",
        read_bytes=1,
        cache_bytes=1,
        operations=2 * 6.98e9,
        attention_operations=roofline.attention(32, 32, 128),
    )
    tokens = 4096
    seconds = tokens * llama.reading * (1 + llama.reading_slowdown * tokens / 2)
    assert tokens / seconds == pytest.approx(7308, rel=0.06)


def test_speculation_gives_the_published_gain_for_one_request() -> None:
    gain = (1 + roofline.DRAFT_TOKENS * roofline.DRAFT_ACCEPTANCE) / (1 + roofline.DRAFT_SLOWDOWN)
    assert gain == pytest.approx(1.6, abs=0.01)


def test_speculation_gains_less_in_a_batch() -> None:
    plain = speeds._published(roofline.WEIGHTS["qwen3:8b"])
    drafted = speeds.drafting(plain)
    assert drafted["batch_slowdown"] == 4 * plain["batch_slowdown"]


@pytest.mark.parametrize("model", roofline.WEIGHTS)
def test_no_model_is_faster_than_its_card(model: str) -> None:
    weights = roofline.WEIGHTS[model]
    assert 1 / weights.writing < roofline.BANDWIDTH / weights.read_bytes
    assert 50 < 1 / weights.writing < 400
    assert 3_000 < 1 / weights.reading < 20_000
