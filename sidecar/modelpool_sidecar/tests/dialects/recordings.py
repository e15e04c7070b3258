"""The recordings of real engines, as these tests read them: the request's body, and the answer.

The gateway shares no code with the simulated engines, whose package keeps the files; only the files are read.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4] / "simulators/modelpool_simulators/recordings"
_SIZE = re.compile(rb"\n?\[curl: http \d+, (\d+) bytes[^\n]*\]\s*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One exchange."""

    path: str
    request: bytes
    status: int
    content_type: str
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


def load(name: str) -> Recorded:
    """Read `vllm/10-chat` or `ollama/20-chat-stream`."""
    question, _, answer = (ROOT / f"{name}.txt").read_bytes().partition(b"\n<<<\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    size = _SIZE.search(body)
    head_only = question.startswith(b">>> HEAD ")
    assert size is not None or head_only, f"{name} has no size"
    status = int(head.split(b" ", 2)[1])
    kind = re.search(rb"(?im)^content-type: *([^\r\n]+)", head)
    return Recorded(
        path=question.splitlines()[0].decode().split(" ")[2],
        request=question.partition(b"\n>>>\n")[2],
        status=status,
        content_type=kind[1].decode() if kind else "",
        body=body[: min(int(size[1]), size.start())] if size is not None else b"",
    )


def shape(value: Any) -> Any:
    """Names and types, with the values gone: what a client depends on."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def names(folder: str) -> list[str]:
    """The recordings of a folder that hold exactly one exchange."""
    files = sorted((ROOT / folder).glob("*.txt"))
    return [file.stem for file in files if len(re.findall(rb"(?m)^>>> [A-Z]+ /", file.read_bytes())) == 1]


def method(name: str) -> str:
    """The method of a recorded request."""
    return (ROOT / f"{name}.txt").read_text().split(" ", 2)[1]


def header_names(name: str) -> set[str]:
    """The names of a recorded answer's headers, in lower case."""
    _, _, answer = (ROOT / f"{name}.txt").read_bytes().partition(b"\n<<<\n")
    lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {line.partition(":")[0].lower() for line in lines}
