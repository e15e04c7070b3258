"""Whatever is in a field, a record is one line, and what was sent can be read out of it."""

import io
import json
import logging
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.telemetry import logs
from modelpool_sidecar.telemetry.access_log import AccessLog
from modelpool_sidecar.telemetry.access_record import AccessRecord
from modelpool_sidecar.telemetry.escaping import json_object, text, word

from ..dialects.cutting import QUICK

UGLY = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\x1b[2J\x00\x7f\x9b\u202e\u2066\ufeff\u200b\\\" '="
STRINGS = st.text(st.sampled_from(UGLY) | st.characters(), max_size=10)
FIELDS = [name for name, kind in AccessRecord.__annotations__.items() if kind is str and name != "time"]


def undone(escaped: str) -> str:
    """What the escapes of a text log stand for."""

    def one(found: re.Match[str]) -> str:
        return "\\" if found[0] == "\\\\" else chr(int(found[1], 16))

    return re.sub(r"\\(?:\\|[xuU]((?<=x)[0-9a-f]{2}|(?<=u)[0-9a-f]{4}|(?<=U)[0-9a-f]{8}))", one, escaped)


def plain(given: str) -> str:
    """As JSON can say it."""
    return re.sub(r"[\ud800-\udfff]", lambda half: rf"\u{ord(half[0]):04x}", given)


def is_harmless(line: str) -> bool:
    return line.isprintable()


async def written(records: list[dict[str, str]], *, as_json: bool) -> list[str]:
    stream = io.StringIO()
    log = AccessLog(stream, json=as_json)
    for fields in records:
        log.write(AccessRecord(**fields))  # type: ignore[arg-type]
    log.flush()
    told = stream.getvalue()
    assert told.endswith("\n") or not records
    told.encode()
    return told.split("\n")[:-1]


@given(records=st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, STRINGS)), min_size=1, max_size=3))
@QUICK
async def test_each_record_is_one_line_of_json(records: list[dict[str, str]]) -> None:
    lines = await written(records, as_json=True)
    assert len(lines) == len(records)
    for line, fields in zip(lines, records, strict=True):
        assert is_harmless(line)
        found = msgspec.json.decode(line, type=AccessRecord)
        assert {name: getattr(found, name) for name in FIELDS} == {
            name: value if value.isascii() else plain(value) for name, value in fields.items()
        }


@given(records=st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, STRINGS)), min_size=1, max_size=3))
@QUICK
async def test_each_record_is_one_line_of_text(records: list[dict[str, str]]) -> None:
    lines = await written(records, as_json=False)
    assert len(lines) == len(records)
    for line, fields in zip(lines, records, strict=True):
        assert is_harmless(line)
        method, path, model, status, *_ = line.split(" ")
        told = (undone(method), undone(path), undone(model), status)
        assert told == (fields["method"], fields["path"], fields["model"], "0")
        assert undone(line).endswith(fields["error"])


async def test_one_byte_of_somebodys_costs_nobody_elses_line() -> None:
    records = [{"path": "/a"}, {"caller": "\udcff"}, {"path": "/b"}]
    lines = [json.loads(line) for line in await written(records, as_json=True)]
    assert [line.get("path") for line in lines] == ["/a", None, "/b"]
    assert lines[1]["caller"] == r"\udcff"
    assert len(await written(records, as_json=False)) == 3


@given(message=STRINGS, value=STRINGS, fault=STRINGS)
@QUICK
def test_ordinary_records_are_one_line_each(message: str, value: str, fault: str) -> None:
    for as_json in (True, False):
        stream = io.StringIO()
        formatter = logs._JsonFormatter() if as_json else logs._TextFormatter()
        for exception in (None, ValueError(fault)):
            info: Any = exception and (type(exception), exception, None)
            record = logging.LogRecord("x", logging.INFO, "", 0, "%s", (message,), info)
            record.__dict__["field"] = value
            stream.write(formatter.format(record) + "\n")
        told = stream.getvalue()
        told.encode()
        lines = told.split("\n")[:-1]
        assert all(is_harmless(line) for line in lines)
        if as_json:
            assert len(lines) == 2
            assert {json.loads(line)["message"] for line in lines} == {plain(message)}
            assert {json.loads(line)["field"] for line in lines} == {plain(value)}
            assert plain(fault) in json.loads(lines[1])["exception"]
        else:
            records = [line for line in lines if not line.startswith("    ")]
            assert len(records) == 2
            assert undone(records[0]).startswith(f"INFO {message} field=")


@pytest.mark.parametrize("one", UGLY)
def test_what_speaks_to_a_terminal_is_written_out(one: str) -> None:
    for escaped in (text(f"a{one}b"), word(f"a{one}b"), json_object({"a": one})):
        assert is_harmless(escaped)


def test_what_is_long_is_cut() -> None:
    for formatter in (logs._JsonFormatter(), logs._TextFormatter()):
        record = logging.LogRecord("x", logging.INFO, "", 0, "m" * 100_000, None, None)
        record.__dict__["field"] = "f" * 100_000
        assert len(formatter.format(record)) < 10_000
