"""What `/api/show` says of a model in a Modelfile's words, where there is no Modelfile. Pure.

The prompt is made by the engine, from the template of the model's repository, which the gateway does not have. Clients
look at the template's variables to learn what a model takes: `.Tools` for tools, `.Suffix` to fill in, `.Thinking` for
reasoning. So these are in the template exactly when the model can do it, and its comment says who makes the prompt.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_NAME_WIDTH: Final = 30
"""As Ollama lists parameters."""


def template(engine: str, capabilities: Sequence[str]) -> str:
    """A template of Go's with the variables that a model with these capabilities takes."""
    parts = [f"{{{{- /* prompts are made by {engine} */ -}}}}"]
    if "completion" in capabilities:
        parts.append("{{ if .System }}{{ .System }}{{ end }}")
        if "tools" in capabilities:
            parts.append("{{ if .Tools }}{{ .Tools }}{{ end }}")
        thinking = "{{ if .Thinking }}{{ .Thinking }}{{ end }}" if "thinking" in capabilities else ""
        calls = "{{ if .ToolCalls }}{{ .ToolCalls }}{{ end }}" if "tools" in capabilities else ""
        parts.append("{{ range .Messages }}{{ .Role }}: " + thinking + "{{ .Content }}" + calls + "{{ end }}")
        if "insert" in capabilities:
            parts.append("{{ if .Suffix }}{{ .Prompt }}{{ .Suffix }}{{ end }}")
    else:
        parts.append("{{ .Prompt }}")
    return "".join(parts)


def listed(parameters: Mapping[str, object]) -> str:
    """Parameters as `/api/show` lists them: a line each, those of several values a line for each value."""
    return "\n".join(f"{name:<{_NAME_WIDTH}} {value}" for name, value in _pairs(parameters))


def written(engine: str, name: str, capabilities: Sequence[str], parameters: Mapping[str, object]) -> str:
    """The whole, as a Modelfile."""
    lines = [f"# Served by {engine}", f"FROM {name}", f'TEMPLATE """{template(engine, capabilities)}"""']
    lines += [f"PARAMETER {parameter} {value}" for parameter, value in _pairs(parameters)]
    return "\n".join(lines) + "\n"


def _pairs(parameters: Mapping[str, object]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in sorted(parameters.items()):
        values = value if isinstance(value, list) else [value]
        pairs.extend((name, _spelt(one)) for one in values)
    return pairs


def _spelt(value: object) -> str:
    """As Go writes it."""
    return f"{value:g}" if isinstance(value, float) else msgspec.json.encode(value).decode()
