"""Parameter counts against those that the models' makers publish, and the two ways through a KV cache."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.memory import architectures as of
from modelpool_operator.planning.memory import catalogue
from modelpool_operator.planning.memory.architectures import Architecture, Format

PUBLISHED = {
    "Qwen3-0.6B": (of.QWEN3_06B, 0.6),
    "Qwen3-1.7B": (of.QWEN3_17B, 1.7),
    "Qwen3-4B": (of.QWEN3_4B, 4.0),
    "Qwen3-8B": (of.QWEN3_8B, 8.2),
    "Qwen3-14B": (of.QWEN3_14B, 14.8),
    "Qwen3-32B": (of.QWEN3_32B, 32.8),
    "Qwen3-30B-A3B": (of.QWEN3_30B_A3B, 30.5),
    "Qwen2.5-0.5B": (of.QWEN25_05B, 0.49),
    "Qwen2.5-1.5B": (of.QWEN25_15B, 1.54),
    "Qwen2.5-3B": (of.QWEN25_3B, 3.09),
    "Qwen2.5-7B": (of.QWEN25_7B, 7.61),
    "Qwen2.5-14B": (of.QWEN25_14B, 14.7),
    "Qwen2.5-32B": (of.QWEN25_32B, 32.5),
    "Qwen2.5-72B": (of.QWEN25_72B, 72.7),
    "Llama-3.2-1B": (of.LLAMA32_1B, 1.23),
    "Llama-3.2-3B": (of.LLAMA32_3B, 3.21),
    "Llama-3.1-8B": (of.LLAMA31_8B, 8.03),
    "Llama-3.1-70B": (of.LLAMA31_70B, 70.6),
    "Mistral-7B": (of.MISTRAL_7B, 7.25),
    "Mistral-Nemo": (of.MISTRAL_NEMO_12B, 12.2),
    "Mistral-Small": (of.MISTRAL_SMALL_24B, 23.6),
    "phi-4": (of.PHI4_14B, 14.7),
    "gemma-3-1b": (of.GEMMA3_1B, 1.0),
    "gemma-3-4b": (of.GEMMA3_4B, 4.3),
    "gemma-3-12b": (of.GEMMA3_12B, 12.2),
    "gemma-3-27b": (of.GEMMA3_27B, 27.4),
    "gpt-oss-20b": (of.GPT_OSS_20B, 20.9),
    "gpt-oss-120b": (of.GPT_OSS_120B, 116.8),
}


@pytest.mark.parametrize(("architecture", "billions"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_parameters_are_as_many_as_published(architecture: Architecture, billions: float) -> None:
    assert architecture.parameters / 1e9 == pytest.approx(billions, rel=0.013)


def test_gpt_oss_in_its_own_format_is_as_large_as_its_card_says() -> None:
    assert of.GPT_OSS_20B.weights(Format.MXFP4) / GIB == pytest.approx(12.8, abs=0.05)
    assert of.GPT_OSS_120B.weights(Format.MXFP4) / GIB == pytest.approx(60.8, abs=0.3)


@pytest.mark.parametrize(
    ("architecture", "kib"), [(of.QWEN3_8B, 144), (of.LLAMA31_8B, 128), (of.QWEN25_7B, 56)], ids=["a", "b", "c"]
)
def test_a_token_costs_what_the_layers_keep(architecture: Architecture, kib: int) -> None:
    assert architecture.shape.kv_bytes(1) == kib * 1024


SHAPES = st.sampled_from([one for one, _ in PUBLISHED.values()]).map(lambda one: one.shape)


@given(SHAPES, st.integers(0, 200_000), st.sampled_from([0, 2048, 8192]), st.integers(1, 16))
def test_a_longer_sequence_never_takes_less(shape: of.Shape, tokens: int, batched: int, cards: int) -> None:
    taken = shape.kv_bytes(tokens, batched=batched, cards=cards)
    assert taken < shape.kv_bytes(tokens + 1, batched=batched, cards=cards)
    assert taken <= shape.kv_bytes(tokens, batched=batched + 1, cards=cards)
    assert taken >= shape.kv_bytes(tokens, batched=batched, cards=cards + 1)


MEASURED = {
    "gemma3-12b, 2048 tokens a step": (of.GEMMA3_12B, 8192, 2048, 1.44),
    "gemma3-12b, 8192 tokens a step": (of.GEMMA3_12B, 8192, 8192, 3.00),
    "qwen3-8b, which slides nowhere": (of.QWEN3_8B, 8192, 8192, 1.125),
}


@pytest.mark.parametrize(("architecture", "tokens", "batched", "gib"), MEASURED.values(), ids=MEASURED.keys())
def test_a_sliding_layer_keeps_its_window_and_one_step(
    architecture: Architecture, tokens: int, batched: int, gib: float
) -> None:
    assert architecture.shape.kv_bytes(tokens, batched=batched) / GIB == pytest.approx(gib, abs=0.005)


def test_heads_are_divided_down_to_one_for_each_card() -> None:
    shape = of.QWEN25_7B.shape
    assert [shape.kv_bytes(1, cards=cards) // 1024 for cards in (1, 2, 3, 4, 8)] == [56, 28, 28, 14, 14]


def test_sliding_layers_are_stored_in_groups() -> None:
    assert [shape.padded_sliding_layers for shape in (of.GEMMA3_4B.shape, of.GEMMA3_12B.shape)] == [30, 40]
    assert of.GPT_OSS_20B.shape.padded_sliding_layers == 12
    assert of.QWEN3_8B.shape.padded_sliding_layers == 0


def test_every_entry_of_the_catalog_says_where_it_comes_from() -> None:
    assert len(catalogue.KNOWN) >= 100
    for name, known in catalogue.KNOWN.items():
        assert known.source in {catalogue.COMPUTED, catalogue.CARD, catalogue.FILES}
        assert (known.source == catalogue.COMPUTED) is (name not in catalogue.STATED)
        assert known.context >= 8192
