"""Bodies that are valid JSON and costly to read: many values, deep, long. Served or refused, and nobody else waits."""

import random
from collections.abc import Callable
from typing import Final

from ..asking import DIALECTS, expect, request
from ..case import case
from ..gateway import SLACK_SECONDS
from ..wire import PATIENCE, NotHeldError
from ..world import World

_ANSWERS: Final = (200, 400, 404, 413, 422, 503)
_MESSAGES: Final = '"messages":[{"role":"user","content":"hello"}]'
_TOLD: Final = '"max_tokens":1,"stream":false'


def _object(*fields: str) -> bytes:
    return ("{" + ",".join(fields) + "}").encode()


def _keys(model: str, count: int) -> bytes:
    return _object(f'"model":"{model}"', _MESSAGES, _TOLD, *(f'"k{number}":0' for number in range(count)))


def _messages(model: str, count: int) -> bytes:
    message = '{"role":"user","content":"x"}'
    return _object(f'"model":"{model}"', f'"messages":[{",".join([message] * count)}]', _TOLD)


def _parts(model: str, count: int) -> bytes:
    part = '{"type":"text","text":"x"}'
    return _object(
        f'"model":"{model}"', f'"messages":[{{"role":"user","content":[{",".join([part] * count)}]}}]', _TOLD
    )


def _stops(model: str, count: int) -> bytes:
    stops = ",".join(['"a"'] * count)
    return _object(f'"model":"{model}"', _MESSAGES, _TOLD, f'"stop":[{stops}]', f'"options":{{"stop":[{stops}]}}')


def _keep_alive(model: str, count: int) -> bytes:
    return _object(f'"model":"{model}"', _MESSAGES, _TOLD, f'"keep_alive":"{"9" * count * 2}h"')


def _keep_alive_parts(model: str, count: int) -> bytes:
    return _object(f'"model":"{model}"', _MESSAGES, _TOLD, f'"keep_alive":"{"1h" * count}"')


def _keep_alive_number(model: str, count: int) -> bytes:
    return _object(f'"model":"{model}"', _MESSAGES, _TOLD, f'"keep_alive":{"9" * count}')


def _model(model: str, count: int) -> bytes:
    return _object(f'"model":"{model}{"m" * count * 10}"', _MESSAGES, _TOLD)


def _deep(model: str, count: int) -> bytes:
    depth = min(count, 200_000)
    return _object(f'"model":"{model}"', _MESSAGES, _TOLD, f'"x":{"[" * depth}{"]" * depth}')


def _deep_content(model: str, count: int) -> bytes:
    depth = min(count, 200_000)
    content = '{"a":' * depth + "1" + "}" * depth
    return _object(f'"model":"{model}"', f'"messages":[{{"role":"user","content":{content}}}]', _TOLD)


def _twice(model: str, count: int) -> bytes:
    return _object(*([f'"model":"{model}"'] * count), _MESSAGES, _TOLD)


def _escapes(model: str, count: int) -> bytes:
    named = "".join(f"\\u{ord(letter):04x}" for letter in model)
    text = "\\ud800" * count
    return _object(f'"model":"{named}"', f'"messages":[{{"role":"user","content":"{text}"}}]', _TOLD)


def _numbers(model: str, count: int) -> bytes:
    return _object(f'"model":"{model}"', _MESSAGES, f'"max_tokens":{"9" * count},"temperature":1e{"9" * 20}')


def _spaces(model: str, count: int) -> bytes:
    return _object(f'"model":"{model}"', _MESSAGES, _TOLD + " \n" * count)


def _tools(model: str, count: int) -> bytes:
    tool = '{"type":"function","function":{"name":"f","parameters":{}}}'
    return _object(f'"model":"{model}"', _MESSAGES, _TOLD, f'"tools":[{",".join([tool] * count)}]')


def _schema(model: str, count: int) -> bytes:
    depth = min(count // 10 + 1, 50_000)
    form = '{"type":"object","properties":{"a":' * depth + "{}" + "}}" * depth
    return _object(f'"model":"{model}"', _MESSAGES, _TOLD, f'"format":{form}')


BOMBS: Final[tuple[Callable[[str, int], bytes], ...]] = (
    _keys, _messages, _parts, _stops, _keep_alive, _keep_alive_parts, _keep_alive_number, _model, _deep, _deep_content,
    _twice, _escapes, _numbers, _spaces, _tools, _schema,
)  # fmt: skip
_SLOW: Final = (_keys,)
"""Those that take too long to be made to fill a body; `five_million_keys` does."""
_FULL_BYTES: Final = 60_000_000
_PATHS: Final = (*DIALECTS.values(), "/api/generate", "/api/embed", "/v1/embeddings", "/api/show", "/v1/responses")


async def _throw(world: World, chance: random.Random, count: int | None) -> None:
    """Send one of so many, or of as many as fill a body."""
    make, path = chance.choice(BOMBS), chance.choice(_PATHS)
    if count is None:
        count = 1_000_000 if make in _SLOW else _FULL_BYTES * 1000 // len(make("vllm-0", 1000))
    async with world.engine(chance.choice(("vllm", "ollama"))) as engine:
        body = make(engine.model, count)
        async with await world.caller() as caller:
            await caller.send(request(path, body))
            try:
                expect(await caller.answer(within=PATIENCE + SLACK_SECONDS), *_ANSWERS, path=path, closed=True)
            except NotHeldError as wrong:
                raise NotHeldError(f"{path} {make.__name__} of {count}, {len(body)} bytes: {wrong}") from wrong


@case()
async def small_bombs(world: World, chance: random.Random) -> None:
    """Thousands of what should be few."""
    await _throw(world, chance, chance.choice((1000, 12_000, 60_000)))


@case(alone=True, seconds=60)
async def large_bombs(world: World, chance: random.Random) -> None:
    """Some hundred thousand, or as many as a body of 64 MiB holds: ten million of the small ones, a name of 60 MB."""
    await _throw(world, chance, chance.choice((300_000, 1_000_000, None, None)))


@case(alone=True, seconds=60)
async def five_million_keys(world: World, chance: random.Random) -> None:
    """An object of as many keys as fit, by a name that must be replaced."""
    async with world.engine("vllm") as engine:
        count = chance.randrange(4_000_000, 5_000_000)
        fields = b'"a":0,' * count
        told = b'{"model":"%b",%b%b,%b}' % (engine.model.encode(), fields, _MESSAGES.encode(), _TOLD.encode())
        path = chance.choice(("/v1/chat/completions", "/v1/messages", "/api/chat"))
        async with await world.caller() as caller:
            await caller.send(request(path, told))
            expect(await caller.answer(within=PATIENCE + SLACK_SECONDS), *_ANSWERS, path=path, closed=True)
