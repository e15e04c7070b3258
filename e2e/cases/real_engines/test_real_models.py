"""Published models at a real Ollama and, through the gateway, at a real vLLM: what no script shows."""

import asyncio
import itertools
import json
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jsonschema
import pytest

from modelpool_real_engines import kinds, quality, real_calls, real_scene
from modelpool_real_engines.answers import Call, send
from modelpool_real_engines.differences import Pair
from modelpool_real_engines.ledger import Entry, Ledger
from modelpool_real_engines.real_scene import RealScene
from modelpool_real_engines.running import Program

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]

_LONGEST = 120
"""Characters of an answer that are read: one of this model's that says no right thing by then says none."""
_PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "kind": {"enum": ["cat", "dog"]},
    },
    "required": ["name", "age", "kind"],
    "additionalProperties": False,
}
_ALL = [*real_calls.texts(), *real_calls.conversations(), *real_calls.options(), *real_calls.embeddings()]


@pytest.mark.parametrize("call", _ALL, ids=lambda call: call.name)
def test_same_as_ollama(real: RealScene, ledger: Ledger, call: Call) -> None:
    """Everything but the model's choice of words."""
    found = kinds.differences(send(real.ollama.url, call), send(real.gateway.url, call))
    entry = Entry(pair=Pair.WEIGHTS, call=call.name, found=found)
    ledger.add(entry)
    assert not entry.unexplained(), "\n".join(map(str, entry.unexplained()))


def _answer(program: Program, **body: Any) -> dict[str, Any]:
    asked = {"model": real_scene.CHAT, "stream": False, **body}
    got = send(program.url, Call(name="", path="/api/chat", body=asked))
    assert got.status == 200, got.body
    answer: dict[str, Any] = json.loads(got.body)
    return answer


def _user(content: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content}]


def test_a_growing_conversation_is_answered_every_time(real: RealScene) -> None:
    """By both engines and from as many tokens of history, each time; the gateway never says how long is too long."""
    turns = real_calls.turns(40)[:-1]
    for last in (1, 11, 21, 31, 39, 39, 39):
        lengths = []
        for program in (real.ollama, real.gateway):
            answer = _answer(program, messages=turns[:last], options={"num_predict": 4, "temperature": 0})
            assert answer["message"]["content"], answer
            assert answer["prompt_eval_count"] < real_scene.CONTEXT, answer
            lengths.append(answer["prompt_eval_count"])
        assert lengths[0] == lengths[1], f"after {last} turns: {lengths}"


def test_json_by_schema(real: RealScene) -> None:
    for program in (real.ollama, real.gateway):
        for seed in range(3):
            options = {"num_predict": 120, "seed": seed}
            answer = _answer(program, messages=_user("Describe a pet as JSON."), format=_PERSON, options=options)
            assert answer["done_reason"] == "stop", answer
            jsonschema.validate(json.loads(answer["message"]["content"]), _PERSON)


def test_a_seed_says_the_same_again(real: RealScene) -> None:
    def told(program: Program, **options: Any) -> str:
        answer = _answer(program, messages=_user("Tell a story."), options={"num_predict": 24, **options})
        return str(answer["message"]["content"])

    for program in (real.ollama, real.gateway):
        assert told(program, seed=42, temperature=1) == told(program, seed=42, temperature=1)
        assert len({told(program, seed=seed, temperature=1) for seed in range(4)}) > 1
        assert len({told(program) for _ in range(4)}) > 1, "without a seed each answer is another"


def test_where_a_stop_string_is_met_the_answer_ends(real: RealScene) -> None:
    asked = _user("What is the capital of France?")
    for program, stream in itertools.product((real.ollama, real.gateway), (False, True)):
        stops = [*(f"never {number}" for number in range(9)), "Paris"]
        body = {"model": real_scene.CHAT, "messages": asked, "stream": stream,
                "options": {"temperature": 0, "num_predict": 80, "stop": stops}}  # fmt: skip
        got = send(program.url, Call(name="", path="/api/chat", body=body))
        parts = [json.loads(line) for line in got.body.splitlines() if line]
        text = "".join(part["message"]["content"] for part in parts)
        assert text.rstrip() == "The capital of France is"
        assert parts[-1]["done_reason"] == "stop"


def test_vectors_point_the_same_way(real: RealScene) -> None:
    texts = [*real_calls.TEXTS.values(), "The river flows to the sea.", "river " * 400]
    call = Call(name="", path="/api/embed", body={"model": real_scene.EMBED, "input": texts})
    ours, theirs = (json.loads(send(one.url, call).body)["embeddings"] for one in (real.gateway, real.ollama))
    for text, one, other in zip(texts, ours, theirs, strict=True):
        assert math.hypot(*one) == pytest.approx(1, abs=1e-3)
        alike = 0.9 if text == real_calls.TEXTS["Indic and Thai"] else 0.999  # cut into other tokens, see the reasons
        assert sum(map(float.__mul__, one, other)) > alike, text[:60]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as one:
        yield one


async def _said(session: aiohttp.ClientSession, program: Program, question: str) -> tuple[str, float]:
    """The beginning of an answer to a request without any option, and the seconds to its first word."""
    began, first, text = time.monotonic(), 0.0, ""
    body = {"model": real_scene.CHAT, "messages": _user(question)}
    async with session.post(program.url + "/api/chat", json=body) as response:
        assert response.status == 200, await response.text()
        async for line in response.content:
            first = first or time.monotonic() - began
            text += json.loads(line).get("message", {}).get("content", "")
            if len(text) > _LONGEST:
                break
    return text, first


async def _right(session: aiohttp.ClientSession, program: Program) -> tuple[list[int], list[float]]:
    """For each question how many of its answers were right, and how long each first word took."""
    slots = asyncio.Semaphore(real_scene.AT_ONCE)
    asked = [question for question in quality.QUESTIONS for _ in range(quality.RUNS)]

    async def one(question: str) -> tuple[bool, float]:
        async with slots:
            text, first = await _said(session, program, question)
        return quality.right(question, text), first

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(question), name=question) for question in asked]
    answers = [task.result() for task in tasks]
    counts = [sum(right for right, _ in answers[at : at + quality.RUNS]) for at in range(0, len(answers), quality.RUNS)]
    return counts, sorted(first for _, first in answers)


async def test_right_answers_without_options(real: RealScene, session: aiohttp.ClientSession, facts: list[str]) -> None:
    began = time.monotonic()
    theirs, their_first = await _right(session, real.ollama)
    between = time.monotonic()
    ours, our_first = await _right(session, real.gateway)
    apart = quality.interval(theirs, ours)
    facts.append(
        f"right answers of {len(theirs) * quality.RUNS}: Ollama {sum(theirs)}, gateway over vLLM {sum(ours)}, "
        f"chance explains {apart:.0f}; {between - began:.0f} and {time.monotonic() - between:.0f} s"
    )
    facts.append(
        f"first word, {real_scene.AT_ONCE} at once, median: Ollama {their_first[len(their_first) // 2]:.2f} s, "
        f"gateway over vLLM {our_first[len(our_first) // 2]:.2f} s"
    )
    assert abs(sum(theirs) - sum(ours)) <= apart, dict(
        zip(quality.QUESTIONS, zip(theirs, ours, strict=True), strict=True)
    )
