"""What fuzzing found, and the recordings it begins with, as tests."""

import hashlib
from pathlib import Path

import pytest

from .seeds import seeds
from .targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_passes(name: str) -> None:
    files = sorted((CORPUS / name).iterdir())
    assert files
    for file in files:
        TARGETS[name](file.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_pass(name: str) -> None:
    for data in seeds(name):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_recordings_in_pieces_pass(name: str) -> None:
    """Every recording, cut off at a place of its own: half lines, half characters, half events."""
    for data in seeds(name):
        place = int.from_bytes(hashlib.sha256(data).digest()[:4], "big") % (len(data) + 1)
        TARGETS[name](data[:place])


def test_every_folder_belongs_to_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
