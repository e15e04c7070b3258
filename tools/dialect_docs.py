"""Writes docs/reference/dialects.md and errors.md from the gateway's tables: `python tools/dialect_docs.py`.

Knows the tables and Markdown, nothing else. A test compares what the functions return with what is committed. The
tables of the tests are read too, so every line of the documentation names the test that proves it.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from modelpool_sidecar.dialects import calls, errors, stream_end
from modelpool_sidecar.dialects.calls import Call
from modelpool_sidecar.dialects.dialect import Dialect, Operation
from modelpool_sidecar.dialects.errors import Reason, Refusal
from modelpool_sidecar.engines.profile import Native, Translated, Way
from modelpool_sidecar.engines.registry import PROFILES
from modelpool_sidecar.tests.conformance.calls import LEFT_OUT, ROWS
from modelpool_sidecar.tests.conformance.faults import FAULTS, Death
from modelpool_sidecar.tests.conformance.fields import FIELDS

ROOT: Final = Path(__file__).parents[1]
DIALECTS: Final = ROOT / "docs" / "reference" / "dialects.md"
ERRORS: Final = ROOT / "docs" / "reference" / "errors.md"
_GENERATED: Final = "<!-- Generated from the gateway's tables by tools/dialect_docs.py. -->"
_CONFORMANCE: Final = "sidecar/modelpool_sidecar/tests/conformance"

_DIALECTS_INTRO: Final = f"""\
{_GENERATED}
# Dialects

What the gateway does with every call and every field. Where caller and engine speak the same language, the bytes pass
untouched; only the model's name is replaced when the caller used another one than the engine, and put back in the
answer. `python -m pytest -m conformance` proves each line; the tests are in `{_CONFORMANCE}`.

## Calls

Each call is also reached below `/ollama`, and those of `/v1` below `/openai/v1`, and by a path with slashes too many,
as a base URL with a slash at its end makes it: `//api/tags`, `/v1/models/`. Administrative calls have no other spelling
than their own. A path that is not here answers 404. A call that the model's engine does not have is refused with 404 as
well, as that engine itself would: clients of OpenAI and Anthropic ask three times for 408, 409, 429, and 500 and more.
"""
_ADMIN_INTRO: Final = """\
Administration, closed (403) unless opened by `--open-admin NAME`, each by its own name. vLLM's calls say by
`?model=NAME` which engine they mean:
"""
_CUT_OFF: Final = """\
In OpenAI's and Anthropic's dialect the connection is then closed without a proper end, because not every client reads
error events; to a caller of HTTP/1.0, for which the connection's end is the body's, it is reset. An Ollama stream ends
properly, as Ollama's own does.
"""
_FIELDS_INTRO: Final = """\
## Fields of Ollama's calls in front of vLLM

mapped: vLLM is asked for the same. checked: compared with how the model is served. answered: the gateway does it.
dropped: without effect, as told in the answer's header `X-ModelPool-Warning` where the line says so. refused: answered
with an error. A null is as good as an absent field. The test is `test_fields.py::test_field[NAME]`.
"""
_MODELS_INTRO: Final = """\
## What is told of models

`/api/show`, `/api/tags`, `/api/ps` and `/v1/models` tell of a model whose first backend is an Ollama what that says,
asked at the moment, under the names of the pool. Of others they tell what the routes document knows, and nothing else;
a text that Ollama always writes is empty where it is unknown.
"""
_MODELS: Final = (
    (
        "`template` of `/api/show`",
        (
            "variables that the model takes: `.Tools` exactly with the capability `tools`, `.Thinking` with "
            "`thinking`, `.Suffix` with `insert`. vLLM makes the prompt, from the template of the repository"
        ),
    ),
    (
        "`parameters` of `/api/show`",
        "how the model samples where a request to Ollama's API does not say, if that is known",
    ),
    (
        "`family`, `general.architecture`",
        "Ollama's name of the architecture, of repositories that the operator knows",
    ),
    (
        "`….context_length`",
        (
            "tokens that the model is served with, else those that it was trained for; `context_length` of `/api/ps` "
            "and `max_model_len` are the former alone"
        ),
    ),
    (
        "`….embedding_length`",
        "numbers of an embedding. Of an unknown architecture both lengths stand under `general`",
    ),
    ("`size`", "bytes of the weights, in `/api/ps` of the card's memory as planned"),
    (
        "`modified_at`, `created`",
        "when the ModelPool was made; absent where a file of routes does not say",
    ),
    (
        "`expires_at` of `/api/ps`",
        (
            "in 292 years: a ready engine keeps its model. A model whose engine is not ready is listed while its "
            "stand-in holds it"
        ),
    ),
)
_SAMPLING: Final = """\
What `/api/chat` and `/api/generate` do not say of sampling is as the pool's `parameters` of the model say, else as the
repository's `generation_config.json` where the operator knows it, else Ollama's default. Parameters that Ollama leaves
neutral (penalties, `min_p`) are left to vLLM, which reads the repository's file.
"""
_ANSWERS_INTRO: Final = """\
## Answers, compared with recordings

A recorded call of a real Ollama is put to the gateway, and the engine behind plays the recorded answer of a real vLLM.
The answer must have every field of Ollama's recorded answer, in its order and with its type, and no other, but for the
differences in the last column. The test is `test_translated.py::test_answer_is_as_ollamas`.
"""
_DIFFERENCES: Final = """\
## Known differences

- `context` is not in the answer of `/api/generate`, see above.
- Ollama over `/v1` in front of vLLM is vLLM's own `/v1`, untouched: its answers have more fields, its errors are
  in vLLM's words.
- `model` must be spelt in lower case; Go's decoder takes `Model` too. What else it takes is read in Ollama's dialect:
  half a surrogate pair and bytes that are no UTF-8 as U+FFFD, and nothing behind the document. OpenAI's and
  Anthropic's dialects stay strict.
- Ids of tool calls are those of the engine and of the caller. One that is missing is made: nine letters or digits,
  because Mistral's tokenizer takes no others; Ollama's begin with `call_`.
- 405 carries `Allow`, as HTTP demands; Ollama leaves it out.
- What the gateway adds: `X-Request-Id`, `X-ModelPool-*`, `X-Accel-Buffering` on streams, `Retry-After` on 429 and 503.
- `/v1/audio/transcriptions` is not offered: it carries its model in a form.
- A head that is too long is 400, in the words of its path's dialect; Go's server says 431 in plain text.
"""


def dialects() -> str:
    """The page about calls and fields."""
    parts = [
        _DIALECTS_INTRO,
        _table(("call", "dialect", "vLLM", "Ollama"), _calls()),
        "Answered by the gateway itself:\n",
        _table(("call", "dialect"), _catalog()),
        _ADMIN_INTRO,
        _table(("call", "name", "engine"), _admin()),
        _FIELDS_INTRO,
        _table(("NAME", "verdict", "becomes", "note"), _fields()),
        _MODELS_INTRO,
        _table(("field", "of a model on vLLM"), _MODELS),
        _SAMPLING,
        _ANSWERS_INTRO,
        _table(("Ollama's recording", "vLLM's recording", "differences"), _answers()),
        "Not compared:\n",
        _table(("recording", "reason"), ((f"`{name}`", why) for name, why in LEFT_OUT.items())),
        _DIFFERENCES,
    ]
    return "\n".join(parts)


def failures() -> str:
    """The page about errors."""
    intro = f"""\
{_GENERATED}
# Errors

The status is the same in every dialect unless a table says otherwise; the body is what the caller's dialect wants.
`python -m pytest -m conformance` proves the second table, `tests/dialects/test_errors.py` the first.

## What the gateway refuses

`detail` stands for a sentence about the case. `Retry-After` is sent with 503: 2 seconds when all places are taken, or
the gateway has no memory or descriptors left for one more; 5 when no engine is ready, or none had a place in time.

bad_request has another status where HTTP has one for the case: 408 for a head or a body that does not come in time, 415
for a content coding, 417 for an expectation and 501 for a transfer coding that is not understood, 503 for what the end
of the gateway cut off, 505 for another version of HTTP. An `Origin` or a `Host` that may not ask is 403 without a body.
A caller that left, or read nothing for too long, has 499 in the log, and sees nothing of it.
"""
    engine = """\
## What an engine does wrong

As long as the caller has seen nothing, other engines that serve the model are tried, and one only where the engine
broke off; the table is about the case that there is none. When a second one breaks off, the answer is 502. In the
dialect of the engine its error passes untouched. A 429 or 503 keeps its `Retry-After`, or gets one when it has none.
The test is `test_faults.py::test_fault`.
"""
    streams = (
        "## The end of a broken stream\n\nAfter the first byte the status is sent, so the error is the last line:\n"
    )
    return "\n".join(
        (
            intro,
            _table(("reason", "status", "Ollama", "OpenAI", "Anthropic"), _refusals()),
            engine,
            _table(("the engine", "caller has seen", "asked for", "Ollama", "OpenAI", "Anthropic"), _faults()),
            streams,
            _table(("dialect", "last line"), _broken()),
            _CUT_OFF,
        )
    )


def _calls() -> Iterator[tuple[str, ...]]:
    for path, (dialect, _) in calls.INFERENCE.items():
        call = calls.resolve("POST", path)
        assert isinstance(call, Call)
        yield f"`POST {path}`", dialect.value, *(_way(PROFILES[engine].way(call)) for engine in ("vllm", "ollama"))


def _way(way: Way) -> str:
    match way:
        case Native():
            return "untouched"
        case Translated():
            return "translated"
        case _:
            return f"refused, {Reason.UNSUPPORTED.status}"


def _catalog() -> Iterator[tuple[str, ...]]:
    for path, (dialect, _) in calls.CATALOG.items():
        both = f"{dialect.value}, {Dialect.ANTHROPIC.value}" if path == "/v1/models" else dialect.value
        yield f"`GET {path}`, `HEAD {path}`", both
    yield "`GET /v1/models/{id}`", f"{Dialect.OPENAI.value}, {Dialect.ANTHROPIC.value}"
    yield "`POST /api/show`", Dialect.OLLAMA.value


def _admin() -> Iterator[tuple[str, ...]]:
    for (method, path), (name, _) in calls.ADMIN.items():
        engine = PROFILES.with_admin(name)
        assert engine is not None
        yield f"`{method} {path}{'sha256:…' if path.endswith('/') else ''}`", f"`{name}`", engine.name


def _fields() -> Iterator[tuple[str, ...]]:
    for row in FIELDS:
        becomes = ", ".join(f"`{place}`" for place in row.becomes)
        where = f"`{row.path}`" if row.path else ""
        note = f"status {row.status}; {row.note}" if row.verdict.value == "refused" else row.note
        yield f"`{row.id}`", row.verdict.value, " of ".join(filter(None, (becomes, where))), note


def _answers() -> Iterator[tuple[str, ...]]:
    for row in ROWS:
        told = [f"`{name[1:]}` is missing: {why}" for name, why in row.differs.items()]
        if row.status:
            told.append(f"status {row.status}: {row.why}")
        yield f"`{row.ollama}`", f"`{row.vllm}`" if row.vllm else "no engine asked", "; ".join(told) or "none"


def _refusals() -> Iterator[tuple[str, ...]]:
    for reason in Reason:
        refusal = Refusal(reason=reason, detail="NAME" if reason is Reason.UNKNOWN_MODEL else "detail")
        bodies = (errors.render(refusal, dialect).body.decode() for dialect in Dialect)
        yield reason.name.lower(), str(reason.status), *(f"`{body}`" for body in bodies)
    for operation in (Operation.EMBED, Operation.SHOW_MODEL):
        refusal = Refusal(reason=Reason.UNKNOWN_MODEL, detail="NAME", operation=operation)
        body = errors.render(refusal, Dialect.OLLAMA).body.decode()
        yield f"unknown_model, {operation.value}", "404", f"`{body}`", "", ""


def _faults() -> Iterator[tuple[str, ...]]:
    for row in FAULTS:
        what = row.engine.value if isinstance(row.engine, Death) else f"answers {row.engine}"
        asked = {None: "either", True: "a stream", False: "one answer"}[row.stream]
        cells = []
        for dialect, status in zip(Dialect, row.status, strict=True):
            words = f"`{json.dumps(row.text)}`" if dialect is Dialect.OLLAMA else ""
            untouched = "untouched" if row.untouched and dialect is not Dialect.OLLAMA else ""
            cells.append(" ".join(filter(None, (str(status), words, untouched))))
        yield what, "a part" if row.begun else "nothing", asked, *cells


def _broken() -> Iterator[tuple[str, ...]]:
    for dialect in Dialect:
        text = stream_end.broken(dialect, "the engine's answer broke off").decode().rstrip("\n").replace("\n", "` `")
        yield dialect.value, f"`{text}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    DIALECTS.write_text(dialects())
    ERRORS.write_text(failures())
