"""What the last lines of an engine's log tell: what went wrong, and how far a download is. Pure."""

import re
from typing import Final

from modelpool_operator.planning.observation import diagnosis
from modelpool_operator.planning.observation.pod_views import PodView

_ERROR_LINE: Final = re.compile(r"\b(\w*(Error|Exception)\b|ERROR|FATAL|error:|Value error)")
_WRAPPER: Final = re.compile(r"See root cause above|Engine core initialization failed|\d+ validation errors? for")
_INPUT: Final = re.compile(r" \[type=\w+, input_value=.*")
_PROCESS: Final = re.compile(r"^\(\w+ pid=\d+\) ")
_DOWNLOAD: Final = re.compile(r"(\.safetensors|\.bin|Fetching \d+ files|pulling [0-9a-f]{6,}).*?(\d{1,3})%")
_LAYER: Final = re.compile(
    r"pulling ([0-9a-f]{6,})\S*\s*(\d{1,3})%(?:[^/\n]*?([\d.]+ [KMGT]?B)\s*/\s*([\d.]+ [KMGT]?B))?"
)
ERROR_LENGTH: Final = 500


def last_error(text: str, cause: str | None = None) -> str:
    """Return the last line of a log that tells of an error, else its last line, cut to a readable length.

    Where the cause is known, the line that betrays it goes before others.

    vLLM ends with lines that only say that something failed above; these are passed over, and so is the long input
    that a validation quotes.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [line for line in lines if _ERROR_LINE.search(line) and not _WRAPPER.search(line)]
    betraying = diagnosis.line_of_cause(text, cause) if cause is not None else None
    chosen = _PROCESS.sub("", _INPUT.sub("", betraying or (found or lines or [""])[-1]))
    return chosen if len(chosen) <= ERROR_LENGTH else f"{chosen[: ERROR_LENGTH - 1]}…"


def percentage(pod: PodView) -> str | None:
    """Return how far the download has come, from the last line of the log that tells."""
    matches = [match for line in pod.log for match in [_DOWNLOAD.search(line)] if match]
    return f"{matches[-1][2]} %" if matches else None


def pulled(pod: PodView) -> str | None:
    """Return how far a pull of Ollama's has come, as its bars tell: `45 % (2.1 GB of 4.7 GB)`.

    A model comes in several files, one bar each; the first one that is not whole is the one that is waited for.
    """
    matches = [match for line in pod.log for match in _LAYER.finditer(line)]
    bars = {match[1]: match for match in matches}
    if not bars:
        return None
    bar = next((one for one in bars.values() if one[2] != "100"), matches[-1])
    return f"{bar[2]} %" + (f" ({bar[3]} of {bar[4]})" if bar[3] else "")
