"""What large bodies are put through: a bound on what their JSON holds, and a thread of their own.

One event loop serves all callers, so nothing that one of them sends may keep it for long. Light bodies are read where
they arrive. Others are counted first, and read and translated in one thread, one after another: several threads
would take the interpreter from the loop in turns, and each of them would hold its memory.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from ..dialects import bodies, json_structure
from ..dialects.answer import Answer
from ..dialects.bodies import RequestBody
from ..dialects.calls import Call
from ..dialects.dialect import Operation
from ..http.errors import BadRequestError
from ..http.inline_task import in_task
from ..http.limits import Limit, Limits
from ..translation import Backend, Exchange, Translation, translate

_SMALL_BYTES: Final = 128 * 1024
"""Whatever a body of this size holds, it is read and translated within some ten milliseconds."""
_LIGHT_BYTES: Final = 512 * 1024
_LIGHT_VALUES: Final = 16 * 1024
"""A body of these bytes that holds no more than this is read as fast: mostly text."""
_Found = TypeVar("_Found")


class RequestBodies:
    """Reads and translates bodies. One per gateway, used by its event loop; `close` ends its thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._most_values = limits.max_body_values
        self.small_bytes = min(_SMALL_BYTES, limits.max_body_values)
        """A body up to this size is light, whatever it holds."""
        self._light_values = min(_LIGHT_VALUES, limits.max_body_values)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large bodies")

    def is_light(self, body: bytes) -> bool:
        """Whether a body may be read and translated by whoever has it."""
        if len(body) <= self.small_bytes:
            return True
        return len(body) <= _LIGHT_BYTES and json_structure.values_at_most(body) <= self._light_values

    async def read(self, content: bytes, content_type: str, call: Call) -> RequestBody:
        """As `bodies.read_body`, for a body of any size. Raises BadRequestError."""
        if call.operation is Operation.TRANSCRIBE or self.is_light(content):
            return bodies.read_body(content, content_type, call.dialect, call.operation)
        if await self._run(partial(json_structure.has_more_values, content, self._most_values)):
            self._limits.reached(Limit.BODY_VALUES)
            raise BadRequestError(f"the request body holds more than {self._most_values} values")
        read = await self._run(partial(bodies.read_body, content, content_type, call.dialect, call.operation))
        read.light = False
        return read

    async def translated(
        self, translation: Translation, body: RequestBody, backend: Backend, *, epoch_ns: int
    ) -> Exchange | Answer:
        """As `translate`, for a body of any size. Raises BadRequestError."""
        if body.light:
            return translate(translation, body.content, backend, epoch_ns=epoch_ns)
        return await self._run(partial(translate, translation, body.content, backend, epoch_ns=epoch_ns))

    async def renamed(self, body: RequestBody, model: str) -> bytes:
        """As `RequestBody.renamed`, for a body of any size."""
        return body.renamed(model) if body.light else await self._run(partial(body.renamed, model))

    async def worked(self, body: RequestBody, work: Callable[[], _Found]) -> _Found:
        """What `work` makes of a body of any size."""
        return work() if body.light else await self._run(work)

    def close(self) -> None:
        """Take no more. What is being worked on ends by itself, within a second or two."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], _Found]) -> _Found:
        await in_task()
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)
