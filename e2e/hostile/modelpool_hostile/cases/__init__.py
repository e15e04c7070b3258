"""All cases, by what is hostile in them. Importing this package registers them.

heads, framing, protocols, doors    what callers send before a body, and to whom
uploads, bombs                      bodies
reading, leaving, crowds            how callers behave
engine_probes, engine_answers, engine_streams, engine_floods    engines
documents                           the routes file
machine                             few descriptors, a log that nobody reads
forged                              objects on a real API server
"""

from . import (
    bombs,
    crowds,
    documents,
    doors,
    engine_answers,
    engine_floods,
    engine_probes,
    engine_streams,
    forged,
    framing,
    heads,
    leaving,
    machine,
    protocols,
    reading,
    uploads,
)

__all__ = [
    "bombs",
    "crowds",
    "documents",
    "doors",
    "engine_answers",
    "engine_floods",
    "engine_probes",
    "engine_streams",
    "forged",
    "framing",
    "heads",
    "leaving",
    "machine",
    "protocols",
    "reading",
    "uploads",
]
