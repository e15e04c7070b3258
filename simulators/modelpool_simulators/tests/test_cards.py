"""Memory of simulated cards: shared by processes, given back by the dead."""

import subprocess
import sys
from pathlib import Path

import pytest

from modelpool_simulators import cards
from modelpool_simulators.quantities import GIB


@pytest.fixture()
def card(tmp_path: Path) -> cards.Card:
    return cards.Card(folder=tmp_path, index=0, memory=24 * GIB)


def test_holdings_add_up(card: cards.Card) -> None:
    first, second = card.hold("a"), card.hold("b")
    first.resize(8 * GIB)
    second.resize(6 * GIB)
    assert card.free() == 10 * GIB
    assert card.holders() == {"a": 8 * GIB, "b": 6 * GIB}
    first.resize(2 * GIB)
    second.release()
    assert card.free() == 22 * GIB
    first.release()


def test_what_is_not_free_cannot_be_held(card: cards.Card) -> None:
    first, second = card.hold("a"), card.hold("b")
    first.resize(20 * GIB)
    with pytest.raises(cards.OutOfMemoryError) as caught:
        second.resize(5 * GIB)
    assert (caught.value.wanted, caught.value.free) == (5 * GIB, 4 * GIB)
    assert second.bytes == 0
    first.release()
    second.release()


def test_cards_of_one_folder_are_apart(card: cards.Card, tmp_path: Path) -> None:
    other = cards.Card(folder=tmp_path, index=1, memory=24 * GIB)
    holding = other.hold("a")
    holding.resize(GIB)
    assert (card.free(), other.free()) == (24 * GIB, 23 * GIB)
    holding.release()


def test_a_killed_process_gives_its_memory_back(card: cards.Card) -> None:
    program = (
        "import sys, pathlib; from modelpool_simulators import cards\n"
        f"holding = cards.Card(folder=pathlib.Path({str(card.folder)!r}), index=0, memory={card.memory}).hold('dies')\n"
        f"holding.resize({8 * GIB}); print('holding', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"holding\n"
        assert card.free() == 16 * GIB
        process.kill()
        process.wait()
        assert card.free() == 24 * GIB


@pytest.mark.parametrize(
    ("environment", "count", "want"),
    [
        ({}, 1, [0]),
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, 2, [0, 1]),
        ({"NVIDIA_VISIBLE_DEVICES": "1"}, 1, [1]),
        ({"NVIDIA_VISIBLE_DEVICES": "1,3"}, 2, [1, 3]),
        ({"NVIDIA_VISIBLE_DEVICES": "0,1", "CUDA_VISIBLE_DEVICES": "1"}, 1, [1]),
    ],
)
def test_the_environment_names_the_cards(
    environment: dict[str, str], count: int, want: list[int], tmp_path: Path
) -> None:
    environment |= {"MODELPOOL_SIMULATED_CARDS": str(tmp_path), "MODELPOOL_SIMULATED_CARD_MEMORY": "12Gi"}
    found = cards.from_environment(environment, count)
    assert [card.index for card in found] == want
    assert {card.memory for card in found} == {12 * GIB}


def test_without_a_folder_there_are_no_cards() -> None:
    assert cards.from_environment({}, 1) == ()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"NVIDIA_VISIBLE_DEVICES": "GPU-1"}, "must list card indices"),
        ({"NVIDIA_VISIBLE_DEVICES": "0"}, "2 cards are needed, the environment shows 1"),
        ({"MODELPOOL_SIMULATED_CARD_MEMORY": "much"}, "MODELPOOL_SIMULATED_CARD_MEMORY must be bytes or a size"),
    ],
)
def test_values_that_cannot_be_used_are_named(environment: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        cards.from_environment({"MODELPOOL_SIMULATED_CARDS": str(tmp_path), **environment}, 2)
