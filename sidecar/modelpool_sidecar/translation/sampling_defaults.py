"""How a model samples where a request to Ollama's API does not say: option for option as the model, else as Ollama.

A model's own parameters are those of its repository, and before them those that its pool states, as a Modelfile would.
What Ollama's defaults leave as it is (penalties, `min_p`, `seed`) is left out: the engine's defaults do the same, but
for what it reads in the model's repository itself.
"""

from collections.abc import Mapping
from typing import Final

OLLAMA: Final[Mapping[str, object]] = {"temperature": 0.8, "top_k": 40, "top_p": 0.9}
"""`DefaultOptions` of Ollama 0.33."""


def merged(options: Mapping[str, object] | None, parameters: Mapping[str, object]) -> dict[str, object]:
    """The options of a request, with what they leave open. Null leaves it open too.

    `parameters`: the model's own, in the same words.
    """
    found: dict[str, object] = {**OLLAMA, **parameters}
    if options:
        found.update({name: value for name, value in options.items() if value is not None})
    return found
