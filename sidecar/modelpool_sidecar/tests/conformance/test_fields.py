"""Each row of the table of fields is true."""

import json
from typing import Any

import msgspec
import pytest

from modelpool_sidecar.dialects.answer import Answer
from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.translation import Exchange, Translation, ollama_requests, translate

from ..translation.asking import BACKEND, EPOCH
from .fields import FIELDS, Field, Verdict, needed

pytestmark = pytest.mark.conformance
STRUCTS: dict[Translation, type[msgspec.Struct]] = {
    Translation.CHAT: ollama_requests.ChatRequest,
    Translation.GENERATE: ollama_requests.GenerateRequest,
    Translation.EMBED: ollama_requests.EmbedRequest,
    Translation.EMBEDDING: ollama_requests.EmbeddingRequest,
}


def translated(call: Translation, sent: dict[str, Any]) -> Exchange | Answer:
    return translate(call, msgspec.json.encode({"model": "m", **sent}), BACKEND, epoch_ns=EPOCH)


def found(document: Any, place: str) -> Any:
    """The value at `ollama_requests.0`."""
    for name in place.split("."):
        document = document[int(name)] if name.isdecimal() else document[name]
    return document


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.id)
def test_field(row: Field) -> None:
    sent = {**needed(row.call), **row.example}
    if row.verdict is Verdict.REFUSED:
        with pytest.raises(BadRequestError) as caught:
            translated(row.call, sent)
        assert caught.value.status == row.status
        return
    made = translated(row.call, sent)
    if isinstance(made, Answer):
        assert row.verdict is Verdict.ANSWERED
        return
    body = json.loads(made.body)
    assert made.path == (row.path or made.path)
    for place, value in row.becomes.items():
        assert found(body, place) == value
    bare = translated(row.call, dict(needed(row.call)))
    assert isinstance(bare, Exchange)
    if row.verdict is Verdict.DROPPED:
        assert body == json.loads(bare.body)
        assert bool(made.warnings) == ("warning" in row.note)


@pytest.mark.parametrize("call", Translation)
def test_every_field_that_is_read_is_in_the_table(call: Translation) -> None:
    listed = {row.name.partition(":")[0].partition(".")[0].partition("[")[0] for row in FIELDS if row.call is call}
    read = {one.name for one in msgspec.structs.fields(STRUCTS[call])}
    assert read - {"model"} <= listed | {"messages"}


def test_names_are_unique() -> None:
    assert len({row.id for row in FIELDS}) == len(FIELDS)
