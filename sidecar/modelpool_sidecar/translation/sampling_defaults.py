"""How a model samples where a request to Ollama's API does not say: option for option as the model, else as Ollama.

A model's own parameters are those of its repository, and before them those that its pool states, as a Modelfile would.
What Ollama's defaults leave as it is (penalties, `min_p`, `seed`) is left out: the engine's defaults do the same, but
for what it reads in the model's repository itself.
"""

from collections.abc import Callable, Mapping
from typing import Final

OLLAMA: Final[Mapping[str, object]] = {"temperature": 0.8, "top_k": 40, "top_p": 0.9}
"""`DefaultOptions` of Ollama 0.33."""
_MOST_REMEMBERED: Final = 4096

_remembered: Final[dict[int, tuple[Mapping[str, object], int | None, dict[str, object]]]] = {}
"""The engine's parameters where a request has no options, by the identity of the model's own, with these and with the
model's context. Most requests have none, and to work it out takes longer than to read them."""
Sampling = Callable[[Mapping[str, object], int | None], tuple[dict[str, object], tuple[str, ...]]]


def merged(options: Mapping[str, object] | None, parameters: Mapping[str, object]) -> dict[str, object]:
    """The options of a request, with what they leave open. Null leaves it open too.

    `parameters`: the model's own, in the same words.
    """
    found: dict[str, object] = {**OLLAMA, **parameters}
    if options:
        found.update({name: value for name, value in options.items() if value is not None})
    return found


def unasked(parameters: Mapping[str, object], context_length: int | None, sampling: Sampling) -> dict[str, object]:
    """What the engine is asked where a request has no options. Not to be changed.

    `sampling`: makes the engine's parameters of options.
    """
    known = _remembered.get(id(parameters))
    if known is None or known[0] is not parameters or known[1] != context_length:
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        params, _ = sampling(merged(None, parameters), context_length)
        known = _remembered[id(parameters)] = parameters, context_length, params
    return known[2]
