"""One engine that says given bytes, and what its caller must get instead of believing them."""

import random
from typing import Final

from ..asking import DIALECTS, chat, dialect_of, ends_well, expect_refusal, request
from ..engine import Asked, Line, behave
from ..gateway import READ_SECONDS, SLACK_SECONDS
from ..wire import Answer, NotHeldError
from ..world import World

_FAILED: Final = (500, 502, 503, 504)
_MARK: Final = 9999


async def let_say(
    world: World,
    chance: random.Random,
    said: bytes,
    end: str,
    *,
    whole: bool = False,
    refused: tuple[int, ...] = (),
    own_words: bool = False,
) -> None:
    """Let an engine say these bytes, and hold the caller's answer.

    `whole`: a good answer is a right one, too. `refused`: statuses that may come beside those of a failed engine.
    `own_words`: what the engine said may have been passed on as it is.
    """
    path, stream = chance.choice(tuple(DIALECTS.values())), chance.random() < 0.5

    async def lie(asked: Asked, line: Line) -> None:
        told = asked.json
        if _MARK not in (told.get("max_tokens"), (told.get("options") or {}).get("num_predict")):
            await behave(asked, line)
            return
        await line.send(said)
        if end == "hang":
            await line.gone()
        if end != "keep":
            (line.reset if end == "reset" else line.close)()

    kind = chance.choice(("vllm", "vllm", "ollama"))
    what = f"{path} stream={stream} of {kind}, which says {said[:80]!r} ({len(said)} bytes), then {end}"
    async with world.engine(kind) as engine:
        engine.script = lie
        async with await world.caller() as caller:
            await caller.send(request(path, chat(engine.model, stream=stream, words=_MARK)))
            try:
                answer = await caller.answer(within=3 * READ_SECONDS + SLACK_SECONDS)
                if not (own_words and answer is not None and answer.body and answer.body in said):
                    hold(answer, path, whole=whole, refused=refused)
                if answer is not None and answer.whole and answer.headers.get("connection") != "close":
                    await caller.send(request(path, chat(engine.model)))
                    following = await caller.answer()
                    if following is not None and following.status not in (200, *_FAILED, 404):
                        raise NotHeldError(f"the next answer on the connection is {following}")
            except NotHeldError as wrong:
                raise NotHeldError(f"{what}: {wrong}") from wrong


def hold(answer: Answer | None, path: str, *, whole: bool, refused: tuple[int, ...]) -> None:
    """Hold the answer of a caller whose engine failed. Raises NotHeldError."""
    if answer is None:
        raise NotHeldError("closed without a word")
    if answer.status == 200:
        if not whole and answer.whole and (ends_well(answer, path) or not _has_error(answer)):
            raise NotHeldError(f"a good end of what is none: {answer}")
        return
    if answer.status not in (*_FAILED, *refused):
        raise NotHeldError(f"{answer}; wanted a failed engine's status, or {refused}")
    if answer.status in _FAILED:
        expect_refusal(answer, dialect_of(path))


def _has_error(answer: Answer) -> bool:
    return b"error" in answer.body
