"""Ollama's API in front of vLLM: a call becomes a vLLM call, and vLLM's answer becomes Ollama's.

`translate` reads an Ollama body and gives either a finished Answer (a load, an unload, an empty list) or an Exchange:
the body for vLLM, and a Reply that turns what comes back into what Ollama would have said. The engine is always asked
for a stream, also when the caller wants one document: only so is the time to the first token known, does a stalled
engine show, and can a fault still be answered with a status. Pure: bytes and times in, bytes out. Must not know
sockets or routes; called by `serving`, told by an engine's profile which calls it is for.
"""

from .exchange import Backend, Exchange, Reply, Timings, Usage
from .fitting import Fitting
from .translate import Translation, translate

__all__ = ["Backend", "Exchange", "Fitting", "Reply", "Timings", "Translation", "Usage", "translate"]
