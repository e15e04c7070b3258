"""The values of Ollama's options: what a request leaves open, numbers as Ollama reads them, and as vLLM takes them.

What a request does not say, the model's own parameters do, which are those of its repository, and before them those
that its pool states, as a Modelfile would; and then Ollama. What Ollama's defaults leave as it is (penalties, `min_p`,
`seed`) is left out: the engine's defaults do the same, but for what it reads in the model's repository itself.

Ollama decodes JSON with Go, and hands what it read to llama.cpp, which takes any number; vLLM refuses what is outside
its limits. Where a limit stands for the same effect (`min_p` of 1 keeps the best token alone, as all above it do) the
value is brought to it without a word; where it does not, `beyond` has the sentence for the caller.
"""

from collections.abc import Mapping
from typing import Final

from ..http.errors import BadRequestError

DEFAULTS: Final[Mapping[str, object]] = {"temperature": 0.8, "top_k": 40, "top_p": 0.9}
"""`DefaultOptions` of Ollama 0.33."""

_LEAST_INT64: Final = -(1 << 63)
_INT64: Final = 1 << 63
_MOST_INT32: Final = (1 << 31) - 1
_UINT32: Final = 0xFFFFFFFF
_MOST_FLOAT64: Final = int(float.fromhex("0x1.fffffffffffffp+1023"))
_MOST_FLOAT32: Final = float.fromhex("0x1.fffffefffffffp+127")
"""Rounded to 32 bits, whatever is more is infinite."""
EXACT: Final = 1 << 53
"""Whole numbers up to this are the same as a float."""
HOTTEST: Final = 2.0
"""vLLM's highest temperature."""
MOST_PENALTY: Final = 2.0
"""The most that vLLM takes as a penalty of presence or frequency, on either side of 0."""


def merged(options: Mapping[str, object] | None, parameters: Mapping[str, object]) -> dict[str, object]:
    """The options of a request, with what they leave open. Null leaves it open too.

    `parameters`: the model's own, in the same words.
    """
    found: dict[str, object] = {**DEFAULTS, **parameters}
    if options:
        found.update({name: value for name, value in options.items() if value is not None})
    return found


def number(value: int | float) -> float:
    """A number of JSON as Go's decoder has it: 64 bits of a float, which is why large integers are not exact.

    Raises BadRequestError for one that these do not hold.
    """
    if isinstance(value, int) and not -_MOST_FLOAT64 <= value <= _MOST_FLOAT64:
        raise BadRequestError("json: cannot unmarshal number into Go value of type float64")
    return float(value)


def whole(value: float) -> int:
    """An integer, as Go makes it of a float: its fraction is cut, and what 64 bits do not hold is the least of them."""
    return int(value) if -_INT64 <= value < _INT64 else _LEAST_INT64


def single(value: float) -> float:
    """A number of 32 bits. Raises BadRequestError, with Ollama's status and words, for one that they do not hold."""
    if -_MOST_FLOAT32 <= value <= _MOST_FLOAT32:
        return value
    sign = "+" if value > 0 else "-"
    raise BadRequestError(f"failed to marshal completion request: json: unsupported value: {sign}Inf", status=500)


def positive(value: float) -> float | None:
    """What is not above 0 means: as if it had not been said."""
    return value if value > 0 else None


def temperature(value: float) -> float:
    """Below 0 is as 0: the best token."""
    return min(max(value, 0.0), HOTTEST)


def top_k(value: float) -> float:
    """0 and below: off. vLLM keeps it in 32 bits."""
    return min(value, _MOST_INT32) if value > 0 else -1


def top_p(value: float) -> float:
    """VLLM takes (0, 1]. At 0 and below llama.cpp keeps the best token."""
    return min(1.0, max(value, 1e-6))


def min_p(value: float) -> float:
    """VLLM takes [0, 1]. Above 1 llama.cpp keeps the best token, as both do at 1; below 0 it is off."""
    return min(1.0, max(value, 0.0))


def penalty(value: float) -> float:
    """VLLM takes [-2, 2]."""
    return min(MOST_PENALTY, max(value, -MOST_PENALTY))


def seed(value: float) -> float | None:
    """Llama.cpp takes the lowest 32 bits, and draws a seed for those that say -1."""
    bits = int(value) & _UINT32
    return None if bits == _UINT32 else bits


def beyond(name: str, given: float, sent: float, parameter: str) -> str:
    """The sentence for a value that the engine does not take; empty where what is sent does the same."""
    if parameter not in _WARNED or sent == given or (parameter == "temperature" and given < 0):
        return ""
    return f"{name} is {given:g}, the engine takes {sent:g} at {'least' if given < sent else 'most'}"


_WARNED: Final = frozenset({"temperature", "presence_penalty", "frequency_penalty"})
