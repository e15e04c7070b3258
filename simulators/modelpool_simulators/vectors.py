"""Embeddings of the simulated models: texts that share words point in similar directions.

Pure and deterministic: every token adds its own pseudo-random direction, and the sum is scaled to length 1.
"""

from __future__ import annotations

import math
import struct
from random import Random

from . import text


def embed(given: str, dimensions: int) -> list[float]:
    """Return a vector of length 1 with 32-bit precision."""
    total = [0.0] * dimensions
    for token in text.split(given.lower()) or [""]:
        random = Random(token)  # noqa: S311 - a direction, not a secret
        for place in range(dimensions):
            total[place] += random.gauss(0, 1)
    return scale(total)


def scale(vector: list[float]) -> list[float]:
    """Return the vector with length 1, rounded to 32-bit floats."""
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [struct.unpack("f", struct.pack("f", value / length))[0] for value in vector]
