"""Bodies that are more work than bytes, and what each costs.

`python -m modelpool_sidecar.tests.protocols.hostile_bodies` prints a table.
Each is read, given another model's name and translated in a process of its own. Times are of the processor, in
milliseconds; the peak is memory beyond the body itself, as a multiple of it.
"""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from modelpool_sidecar.dialects import body_facts, json_structure, model_field
from modelpool_sidecar.dialects.dialect import Dialect, Operation
from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.translation import Backend, Translation, translate

MOST_VALUES = 1_000_000
CALLS = {
    "/api/chat": (Dialect.OLLAMA, Operation.CHAT, Translation.CHAT),
    "/api/generate": (Dialect.OLLAMA, Operation.GENERATE, Translation.GENERATE),
    "/api/embed": (Dialect.OLLAMA, Operation.EMBED, Translation.EMBED),
    "/v1/chat/completions": (Dialect.OPENAI, Operation.CHAT, None),
}


class Hostile(NamedTuple):
    """One kind of body."""

    name: str
    path: str
    before: bytes
    again: bytes
    after: bytes
    most: int = MOST_VALUES * 100
    """How often at most `again` may stand in it."""

    def made(self, size: int) -> bytes:
        """About so many bytes."""
        times = min(self.most, max(1, (size - len(self.before) - len(self.after)) // len(self.again)))
        return b'{"model":"m",' + self.before + self.again * times + self.after + b"}"


_CHAT, _PROMPT, _EMBED, _OPENAI = CALLS
_SAID = b'"messages":[{"role":"user","content":"x",'
_HALF = MOST_VALUES // 2 - 10
BODIES = (
    Hostile("one image", _CHAT, _SAID + b'"images":["iVBORw0KGgoA', b"AAAA", b'"]}]'),
    Hostile("one text", _CHAT, b'"messages":[{"content":"', b"word, ", b'"}]'),
    Hostile("one text of escapes", _CHAT, b'"messages":[{"content":"', b"\\n", b'"}]'),
    Hostile("keys", _OPENAI, b"", b'"k":1,', b'"z":1'),
    Hostile("messages", _OPENAI, b'"messages":[', b"{},", b"{}]"),
    Hostile("whole messages", _CHAT, b'"messages":[', b'{"role":"user","content":"x"},', b"{}]"),
    Hostile("parts", _OPENAI, b'"messages":[{"content":[', b"{},", b"{}]}]"),
    Hostile("stops", _PROMPT, b'"prompt":"x","options":{"stop":[', b'"a",', b'"a"]}'),
    Hostile("options", _PROMPT, b'"prompt":"x","options":{', b'"k":1,', b'"z":1}'),
    Hostile("keep_alive, long", _PROMPT, b'"prompt":"x","keep_alive":"', b"1h", b'"'),
    Hostile("keep_alive, many", _PROMPT, b'"prompt":"x","keep_alive":[', b"1,", b"1]"),
    Hostile("model's name", _PROMPT, b'"prompt":"x","model":"', b"m", b'"'),
    Hostile("white space", _PROMPT, b'"prompt":"x"', b" ", b""),
    Hostile("number", _PROMPT, b'"prompt":"x","y":', b"1", b""),
    Hostile("texts to embed", _EMBED, b'"input":[', b'"",', b'""]'),
    Hostile("context", _PROMPT, b'"prompt":"x","context":[', b"1,", b"1]"),
    Hostile("tools", _CHAT, b'"messages":[{"content":"x"}],"tools":[', b"{},", b"{}]"),
    Hostile("format", _PROMPT, b'"prompt":"x","format":"', b"f", b'"'),
    Hostile("think", _PROMPT, b'"prompt":"x","think":"', b"f", b'"'),
    Hostile("empty images", _CHAT, _SAID + b'"images":[', b'"",', b'""]}]'),
    Hostile("tool calls", _CHAT, _SAID + b'"tool_calls":[', b'{"function":{}},', b"{}]}]"),
    Hostile("key of many bytes", _PROMPT, b'"prompt":"x","', b"k", b'":1'),
    Hostile("lists in format", _PROMPT, b'"prompt":"x","format":{"a":[', b'{"a":[]},', b"1]}"),
    Hostile("keys named model", _OPENAI, b"", b'"model":"m",', b'"z":1'),
    Hostile("just enough messages", _CHAT, b'"messages":[', b"{},", b"{}]", _HALF),
    Hostile("just enough parts", _OPENAI, b'"messages":[', b'{"content":["image"]},', b"{}]", _HALF // 2),
    Hostile("just enough keys", _OPENAI, b"", b'"k0":1,', b'"z":1', _HALF),
    Hostile("just enough stops", _PROMPT, b'"prompt":"x","options":{"stop":[', b'"a",', b'"a"]}', _HALF * 2 - 20),
    Hostile("just enough options", _PROMPT, b'"prompt":"x","options":{', b'"k0":1,', b'"z":1}', _HALF),
    Hostile("just enough tool calls", _CHAT, _SAID + b'"tool_calls":[', b"{},", b"{}]}]", _HALF),
    Hostile(
        "tools' answers", _CHAT, b'"messages":[{"tool_calls":[' + b'{"function":{"name":"a"}},' * 20_000 + b"{}]},",
        b'{"role":"tool","tool_name":"b"},', b"{}]", 20_000,
    ),
)  # fmt: skip


def steps(body: bytes, path: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """What a gateway does with a body, one after another."""
    dialect, operation, translation = CALLS[path]
    if json_structure.has_more_values(body, MOST_VALUES):
        return
    yield "read", lambda: body_facts.facts_of(body, dialect, operation)
    yield "renamed", lambda: model_field.replace_model(body, "other")
    if translation is not None:
        yield "translated", lambda: translate(translation, body, Backend(model="other"), epoch_ns=0)


def cost(hostile: Hostile, size: int) -> dict[str, float]:
    """Milliseconds of each step, the first being the count."""
    body = hostile.made(size)
    found: dict[str, float] = {}
    began = time.process_time()
    for name, step in steps(body, hostile.path):
        found.setdefault("counted", time.process_time() - began)
        began = time.process_time()
        try:
            step()
        except BadRequestError as refused:
            assert len(str(refused)) < 1000, f"{hostile.name}: an error of {len(str(refused))} characters"
            found[name] = time.process_time() - began
            break
        found[name] = time.process_time() - began
    return {name: seconds * 1000 for name, seconds in (found or {"counted": time.process_time() - began}).items()}


def _tell(size: int) -> None:
    columns = ("counted", "read", "renamed", "translated")
    sys.stdout.write(f"{'body':24}{'MB':>6}" + "".join(f"{one:>12}" for one in columns) + f"{'peak':>8}\n")
    for hostile in BODIES:
        sys.stdout.flush()
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        made = len(hostile.made(size))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = cost(hostile, size)
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / made
        told = "".join(f"{found.get(one, float('nan')):12.0f}" for one in columns)
        sys.stdout.write(f"{hostile.name:24}{made / 1e6:6.1f}{told}{peak:8.1f}\n")
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    _tell(int(sys.argv[1]) if len(sys.argv) > 1 else 64 * 1024 * 1024)
