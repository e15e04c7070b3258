"""Records: one line each, with the pool they are about."""

import json
import logging

import pytest

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.telemetry import logs


def record(**fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "x", "levelno": 20, "levelname": "INFO", "created": 0, "msg": "Did %s"})
    made.args = ("it",)
    vars(made).update(fields)
    return made


def test_json_carries_the_pool_and_the_fields() -> None:
    with logs.about(ObjectRef("llm", "agentic")):
        line = json.loads(logs.JsonFormatter().format(record(applied=3, reasons=("because",))))
    assert line == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "level": "info",
        "logger": "x",
        "message": "Did it",
        "namespace": "llm",
        "pool": "agentic",
        "applied": 3,
        "reasons": ["because"],
    }


def test_outside_of_a_pass_a_record_is_about_no_pool() -> None:
    with logs.about(ObjectRef("llm", "agentic")):
        pass
    assert "pool" not in json.loads(logs.JsonFormatter().format(record()))


def test_what_kopf_hangs_on_its_records_is_not_shown() -> None:
    assert "k8s_ref" not in json.loads(logs.JsonFormatter().format(record(k8s_ref={}, settings=object())))


@pytest.mark.parametrize("formatter", [logs.JsonFormatter(), logs.TextFormatter()])
def test_a_traceback_is_kept(formatter: logging.Formatter) -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError as exc:
        text = formatter.format(record(exc_info=(type(exc), exc, exc.__traceback__)))
    assert "RuntimeError: broken" in text


def test_text_is_for_people() -> None:
    with logs.about(ObjectRef("llm", "agentic")):
        assert logs.TextFormatter().format(record(applied=3)).endswith("Did it namespace=llm pool=agentic applied=3")
