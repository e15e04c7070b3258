"""The load program, for the tests that ask something with it."""

from collections.abc import Iterator

import pytest

from .. import load
from ..load import Load, LoadError


@pytest.fixture(scope="module")
def callers() -> Iterator[Load]:
    try:
        program = load.build(print)
    except LoadError as error:
        pytest.skip(str(error))
    with load.running(program, None) as running:
        yield running
