"""How much of an engine's answer is kept while it is not whole: a line of a stream, or all of it.

What passes through at once is not bounded. A line is kept where it must be looked into, an answer where its caller
wants one document.
"""

from collections.abc import Callable
from typing import Final

from .errors import EngineError

_MEBIBYTE: Final = 1024 * 1024
_BAD_GATEWAY: Final = 502
_TOGETHER: Final = 2
"""Answers of the greatest size that may be kept at once; smaller ones are as many more."""


class Bounds:
    """Shared by all answers of a gateway."""

    __slots__ = ("_on_answer", "_on_line", "all_answers_bytes", "answer_bytes", "kept", "line_bytes")

    def __init__(
        self,
        *,
        line_bytes: int = 8 * _MEBIBYTE,
        answer_bytes: int = 64 * _MEBIBYTE,
        on_line: Callable[[], None] | None = None,
        on_answer: Callable[[], None] | None = None,
    ) -> None:
        """`on_line` and `on_answer` are called each time that a line or an answer is too large."""
        self.line_bytes = line_bytes
        self.answer_bytes = answer_bytes
        self.all_answers_bytes = _TOGETHER * answer_bytes
        """What all answers that are being kept may come to together."""
        self.kept = 0
        """What they come to; for whoever keeps them to count."""
        self._on_line = on_line
        self._on_answer = on_answer

    def long_line(self) -> EngineError:
        """What to raise when a line, or an event, has become longer than it may."""
        if self._on_line is not None:
            self._on_line()
        return EngineError(f"the engine sent a line of more than {self.line_bytes} bytes", status=_BAD_GATEWAY)

    def large_answer(self) -> EngineError:
        """What to raise when an answer has become larger than it may."""
        if self._on_answer is not None:
            self._on_answer()
        return EngineError(f"the engine sent an answer of more than {self.answer_bytes} bytes", status=_BAD_GATEWAY)

    def too_many_answers(self) -> None:
        """Hear that all answers together have become larger than they may."""
        if self._on_answer is not None:
            self._on_answer()


DEFAULT: Final = Bounds()
"""The default limits, counted nowhere."""
