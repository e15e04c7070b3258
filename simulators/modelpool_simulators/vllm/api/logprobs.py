"""Log probabilities of made-up tokens: plausible, deterministic, in both of OpenAI's shapes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from ... import scripts, text

_OTHERS = (" the", " a", ",", ".", " and", " of", " to", " in", " is", " it")


def of(token: str) -> float:
    """Return the log probability of a token."""
    return -(zlib.crc32(token.encode()) % 1000) / 500


def alternatives(token: str, count: int) -> list[tuple[str, float]]:
    """Return the most likely tokens at one place, the chosen one first."""
    chosen = of(token)
    others = [other for other in _OTHERS if other != token]
    return [(token, chosen), *((other, chosen - 0.5 - place) for place, other in enumerate(others))][:count]


def chat(tokens: Sequence[scripts.Token], top: int) -> dict[str, Any]:
    """Write the log probabilities of a chat answer."""
    return {
        "content": [
            {
                **_entry(token.text, of(token.text)),
                "top_logprobs": [_entry(*one) for one in alternatives(token.text, top)],
            }
            for token in tokens
            if token.channel is not scripts.Channel.SILENT
        ]
    }


def completion(prompt: str, answer: Sequence[str], top: int) -> dict[str, Any]:
    """Write the log probabilities of a completion; those of the prompt too when it is echoed."""
    echoed = text.split(prompt)
    pieces = [*echoed, *answer]
    offsets = [sum(map(len, pieces[:position])) for position in range(len(pieces))]
    first = 1 if echoed else 0
    return {
        "text_offset": offsets,
        "token_logprobs": [None] * first + [of(piece) for piece in pieces[first:]],
        "tokens": pieces,
        "top_logprobs": [None] * first + [dict(alternatives(piece, max(top, 1))) for piece in pieces[first:]],
    }


def prompt(pieces: Sequence[str], top: int, vocabulary: text.Vocabulary) -> list[Any]:
    """Write `prompt_logprobs`, keyed by the numbers of the tokens."""
    return [None] + [
        {
            str(vocabulary.number(token)): {"logprob": value, "rank": rank, "decoded_token": token}
            for rank, (token, value) in enumerate(alternatives(piece, top + 1), start=1)
        }
        for piece in pieces[1:]
    ]


def _entry(token: str, value: float) -> dict[str, Any]:
    return {"token": token, "logprob": value, "bytes": list(token.encode())}
