"""Finds where two answers of a published model differ, but for what the model chose to say.

Both engines hold the same weights; one of them computes with them as they are packed, so a sentence may go another way.
Everything else must be the same: status, headers, framing, fields with their order and types, the length of the prompt,
why the answer ended, and its length where it was cut.
"""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

from . import shapes
from .answers import Response
from .shapes import Difference


def differences(reference: Response, gateway: Response) -> tuple[Difference, ...]:
    """All differences, the first answer being the one to match."""
    found = shapes.differences(_without_choice(reference), _without_choice(gateway))
    return tuple(one for one in found if one.where != "spelling")


def _without_choice(response: Response) -> Response:
    """The answer with the texts that the model wrote replaced by one word, and vectors by their width."""
    try:
        documents = [json.loads(line) for line in _lines(response)]
    except ValueError:
        return response
    kept = [_unchosen(one) for one in documents]
    apart = [one for before, one in pairwise([None, *kept]) if _timeless(one) != _timeless(before)]
    body = b"\n".join(json.dumps(one, ensure_ascii=False).encode() for one in apart)
    return replace(response, body=body)


def _timeless(document: Any) -> Any:
    """A line of a stream without its time: into how many lines words are cut is the engine's affair."""
    return {**document, "created_at": ""} if isinstance(document, dict) else document


def _lines(response: Response) -> list[bytes]:
    if response.kind == "application/x-ndjson":
        return [line for line in response.body.splitlines() if line]
    return [response.body]


def _unchosen(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        ended = value.get("done_reason") == "stop"
        return {
            name: 0 if name == "eval_count" and ended else _unchosen(one, name)
            for name, one in value.items()
            if name != "context"
        }
    if key in ("embedding", "embeddings") and isinstance(value, list) and value and isinstance(value[0], float):
        return [f"{len(value)} numbers"]
    if isinstance(value, list):
        return [_unchosen(one, key) for one in value]
    return "text" if isinstance(value, str) and key in shapes.TEXTS and value else value
