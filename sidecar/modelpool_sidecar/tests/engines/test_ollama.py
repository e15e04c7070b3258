"""Which 404 of an Ollama means that it lacks the model: its own words, as recorded, and nobody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.engines.ollama import says_unpulled


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"model \'nope\' not found"}',
        b'{"error":"model \\"nope\\" not found, try pulling it first"}',
        b'{"error":"model \'nope:latest\' not found"}',
        b'{"error":{"message":"model \'nope\' not found","type":"not_found_error","param":null,"code":null}}\n',
        b'{"type":"error","error":{"type":"not_found_error","message":"model \'nope\' not found"},"request_id":"x"}',
    ],
)
def test_a_model_that_is_not_pulled(body: bytes) -> None:
    assert says_unpulled(body)


@pytest.mark.parametrize(
    "body",
    [
        b"404 page not found",
        b"",
        b"<html>model not found</html>",
        b'{"error":"blob \\"sha256:0\\" not found"}',
        b'{"detail":"Not Found"}',
        b'{"error":null}',
        b'{"error":["model \'a\' not found"]}',
        b'{"error":"\xff"}',
        b"[" * 20_000,
    ],
)
def test_anything_else(body: bytes) -> None:
    assert not says_unpulled(body)


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    assert says_unpulled(body) in (True, False)
