"""The client side of the binary: `ollama pull`, `list`, `ps`, `show`, `rm`. Asks the server at OLLAMA_HOST.

Written on the standard library's client, so that a Job which pulls a model starts at once.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator
from typing import Any

from .settings import Settings

_GIGABYTE = 10**9


class CommandError(Exception):
    """The server said no, or is not there."""


def pull(settings: Settings, name: str) -> None:
    """Download a model and write the progress."""
    last = ""
    for line in _stream(settings, "POST", "/api/pull", {"model": name}):
        if "error" in line:
            raise CommandError(str(line["error"]))
        status = str(line["status"])
        if line.get("total"):
            status = f"{status}: {100 * int(line.get('completed', 0)) // int(line['total'])}%"
        if status != last:
            _say(status)
        last = status


def show(settings: Settings, name: str) -> None:
    """Write what a model is."""
    found = _ask(settings, "POST", "/api/show", {"model": name})
    details = found["details"]
    _say("  Model")
    _say(f"    architecture        {details['family']}")
    _say(f"    parameters          {details['parameter_size']}")
    _say(f"    quantization        {details['quantization_level']}")
    _say("\n  Capabilities")
    for ability in found["capabilities"]:
        _say(f"    {ability}")


def list_(settings: Settings) -> None:
    """Write the models on disk."""
    models = _ask(settings, "GET", "/api/tags")["models"]
    _say(f"{'NAME':<40}{'ID':<16}{'SIZE':<10}MODIFIED")
    for model in models:
        size = f"{model['size'] / _GIGABYTE:.1f} GB"
        _say(f"{model['name']:<40}{model['digest'][:12]:<16}{size:<10}{model['modified_at']}")


def ps(settings: Settings) -> None:
    """Write the models in memory."""
    models = _ask(settings, "GET", "/api/ps")["models"]
    _say(f"{'NAME':<40}{'ID':<16}{'SIZE':<10}{'CONTEXT':<10}UNTIL")
    for model in models:
        size = f"{model['size'] / _GIGABYTE:.1f} GB"
        context = model["context_length"]
        _say(f"{model['name']:<40}{model['digest'][:12]:<16}{size:<10}{context:<10}{model['expires_at']}")


def rm(settings: Settings, name: str) -> None:
    """Remove a model."""
    _ask(settings, "DELETE", "/api/delete", {"model": name})
    _say(f"deleted '{name}'")


def _ask(settings: Settings, method: str, path: str, body: object = None) -> dict[str, Any]:
    return next(_stream(settings, method, path, body), {})


def _stream(settings: Settings, method: str, path: str, body: object = None) -> Iterator[dict[str, Any]]:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - where to ask
    connection = http.client.HTTPConnection(host, settings.port)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None)
        response = connection.getresponse()
        if response.status >= 400:
            text = response.read()
            raise CommandError(json.loads(text)["error"] if text else f"{response.status} {response.reason}")
        for line in response:
            if line.strip():
                yield json.loads(line)
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"could not connect to ollama server at {host}:{settings.port}: {error}") from error
    finally:
        connection.close()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
