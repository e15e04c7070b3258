"""The innocent caller, a program of its own so that the attackers' work is not measured with it.

Runs an engine that behaves at the address that is its argument, and asks for it through the gateway all the time: in
three dialects, documents and streams, over kept connections and new ones. Reads orders from its standard input, a JSON
object a line: `ask` (the gateway's address), `reset` (forget what was measured), `tell`. Says its engine's port first,
then each failure and each late answer as it happens, and all in all when told to or when its input ends.
"""

import asyncio
import json
import sys
import time
from typing import Any, Final

from .asking import DIALECTS, chat, ends_well, request
from .engine import Engine
from .wire import Answer, Caller, NotHeldError

MODEL: Final = "innocent"
_LATE_MS: Final = 100.0
_PAUSE_SECONDS: Final = 0.02
_WITHIN_SECONDS: Final = 10.0
_NEW_EVERY: Final = 25
"""Each so-many-th request comes over a new connection."""


class Innocent:
    """Asks, and measures."""

    def __init__(self) -> None:
        self.address: tuple[str, int] | None = None
        self.took_ms: list[float] = []
        self.failed = 0
        self.asked = 0

    def reset(self) -> None:
        """Forget what was measured."""
        self.took_ms, self.failed, self.asked = [], 0, 0

    async def ask_on(self, path: str) -> None:
        """Ask in one dialect until cancelled."""
        caller: Caller | None = None
        at: tuple[str, int] | None = None
        number = 0
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            if self.address is None:
                continue
            if caller is not None and (at != self.address or number % _NEW_EVERY == 0):
                caller.close()
                caller = None
            at, number = self.address, number + 1
            began = time.perf_counter()
            try:
                if caller is None:
                    caller = await Caller.to(at)
                await self._ask(caller, path, stream=number % 2 == 0)
            except (NotHeldError, OSError) as wrong:
                if caller is not None:
                    caller.close()
                    caller = None
                if at == self.address:
                    self.asked += 1
                    self.failed += 1
                    _say({"failed": f"{path}: {wrong}"})
            else:
                self._took((time.perf_counter() - began) * 1000, path)

    async def _ask(self, caller: Caller, path: str, *, stream: bool) -> None:
        await caller.send(request(path, chat(MODEL, stream=stream, words=8), "X-Source: innocent"), _WITHIN_SECONDS)
        answer = await caller.answer(within=_WITHIN_SECONDS)
        if answer is None:
            raise NotHeldError("closed without an answer")
        if answer.status != 200 or not (ends_well(answer, path) if stream else _is_whole(answer)):
            raise NotHeldError(str(answer))

    def _took(self, ms: float, path: str) -> None:
        self.asked += 1
        self.took_ms.append(ms)
        if ms > _LATE_MS:
            _say({"late_ms": round(ms), "path": path})

    def told(self) -> dict[str, Any]:
        """All in all."""
        took = sorted(self.took_ms) or [0.0]
        shares = {f"p{share}_ms": round(took[min(len(took) - 1, len(took) * share // 100)], 1) for share in (50, 99)}
        return {"asked": self.asked, "failed": self.failed, **shares, "max_ms": round(took[-1], 1)}


def _is_whole(answer: Answer) -> bool:
    try:
        return answer.whole and "error" not in json.loads(answer.body)
    except ValueError:
        return False


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def _run() -> None:
    engine = Engine(model=MODEL, serves=MODEL, kind="vllm")
    engine.host = sys.argv[1]
    await engine.start()
    _say({"port": engine.port})
    innocent = Innocent()
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(innocent.ask_on(path), name=path) for path in DIALECTS.values()]
        while line := await orders.readline():
            order: dict[str, Any] = json.loads(line)
            if "ask" in order:
                innocent.address = None if order["ask"] is None else (order["ask"][0], order["ask"][1])
            if order.get("reset"):
                innocent.reset()
            if order.get("tell"):
                _say({"all": innocent.told()})
        for task in asking:
            task.cancel()
    await engine.stop()
    _say({"all": innocent.told()})


if __name__ == "__main__":
    asyncio.run(_run())
