"""Routes documents of any size. Pure."""

import json
from collections.abc import Sequence


def name(number: int) -> str:
    """Return the name of a model."""
    return f"model-{number}:8b"


def document(models: int, urls: Sequence[str]) -> bytes:
    """Return routes of so many models, spread over the engines at these addresses."""
    return json.dumps(
        {
            "version": 1,
            "pool": {"namespace": "bench", "name": "scale", "generation": 1},
            "models": [
                {
                    "name": name(number),
                    "capabilities": ["completion"],
                    "contextLength": 8192,
                    "backends": [
                        {
                            "engine": "vllm",
                            "url": urls[number % len(urls)],
                            "model": name(number),
                            "maxConcurrency": 100_000,
                        }
                    ],
                }
                for number in range(models)
            ],
        }
    ).encode()
