"""POST /v1/completions: text in, text out, one choice per prompt and n."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from ... import engine, scripts, text
from . import answering, logprobs, requests, sse, state
from .errors import malformed, reply

_DEFAULT_MAX_TOKENS = 16


async def completions(request: web.Request) -> web.StreamResponse:
    """Continue one prompt or several."""
    server = request.app[state.KEY]
    body = await requests.read(request)
    server.check_model(body.get("model"))
    server.engine.check()
    prompts = _prompts(server, requests.required(body, "prompt"))
    asked = [_understand(server, body, prompt) for prompt in prompts]
    answer = _Answer(server, body, asked, state.identifier(request, "cmpl"))
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(answering.generating(server, one)) for one in asked]
        generations = [generation for group in started for generation in group]
        if asked[0].sampling.stream:
            return await sse.send(request, answer.stream(generations))
        return reply(await answer.whole(generations))


def _prompts(server: state.State, prompt: Any) -> list[str]:
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt, list) and prompt and all(isinstance(one, str) for one in prompt):
        return prompt
    if isinstance(prompt, list) and prompt and all(isinstance(one, int) for one in prompt):
        return [server.vocabulary.text(prompt)]
    raise malformed("string_type", "body.prompt", "Input should be a valid string", prompt)


def _understand(server: state.State, body: requests.Body, prompt: str) -> answering.Asked:
    arrived = server.now()
    tokens = text.split(prompt) or [""]
    sampling = requests.sampling(
        body,
        prompt_tokens=len(tokens),
        max_model_len=server.loaded.max_model_len,
        default_max_tokens=_DEFAULT_MAX_TOKENS,
    )
    brief = scripts.Brief(
        prompt=prompt,
        seed=sampling.seed,
        schema=answering.schema(body),
        reply=server.settings.reply,
        sentences=server.settings.sentences,
    )
    return answering.Asked(prompt=tokens, brief=brief, sampling=sampling, arrived=arrived)


class _Answer:
    """One answer, in either shape."""

    def __init__(self, server: state.State, body: requests.Body, asked: list[answering.Asked], identifier: str) -> None:
        self._server = server
        self._asked = asked
        self._echo = body.get("echo") is True
        self._logprobs = requests.integer(body, "logprobs")
        self._tally = answering.Tally(prompt=sum(len(one.prompt) for one in asked))
        self._head = {
            "id": identifier,
            "object": "text_completion",
            "created": state.created(),
            "model": server.answered_as(body.get("model")),
        }

    async def whole(self, generations: list[engine.Generation]) -> dict[str, Any]:
        """Return the answer in one piece."""
        choices = [await self._choice(index, one) for index, one in enumerate(generations)]
        return {
            **self._head,
            "choices": choices,
            "service_tier": None,
            "system_fingerprint": self._server.fingerprint,
            "usage": {**self._usage(), "prompt_tokens_details": None, "completion_tokens_details": None},
            "kv_transfer_params": None,
            "ec_transfer_params": None,
            "metrics": None,
        }

    async def _choice(self, index: int, generation: engine.Generation) -> dict[str, Any]:
        tokens, last = await answering.collect(generation, self._tally)
        pieces = [token.text for token in tokens if token.channel is scripts.Channel.CONTENT]
        prompt = self._prompt(index) if self._echo else ""
        shown = None if self._logprobs is None else logprobs.completion(prompt, pieces, self._logprobs)
        of_prompt = None
        if self._echo and self._logprobs is not None:
            of_prompt = logprobs.prompt(text.split(prompt), self._logprobs, self._server.vocabulary)
        return {
            "index": index,
            "text": prompt + "".join(pieces),
            "logprobs": shown,
            "finish_reason": last.finish,
            "stop_reason": last.stop,
            "token_ids": None,
            "prompt_logprobs": of_prompt,
            "prompt_token_ids": None,
            "routed_experts": None,
        }

    async def stream(self, generations: list[engine.Generation]) -> AsyncIterator[bytes]:
        """Yield the answer as events."""
        sampling = self._asked[0].sampling
        echoed: set[int] = set()
        async for index, output in answering.merged(generations):
            self._tally.count(output)
            pieces = [token.text for token in output.tokens if token.channel is scripts.Channel.CONTENT]
            prompt = self._prompt(index) if self._echo and index not in echoed else ""
            echoed.add(index)
            choice = {
                "index": index,
                "text": prompt + "".join(pieces),
                "logprobs": None if self._logprobs is None else logprobs.completion(prompt, pieces, self._logprobs),
                "finish_reason": output.finish,
                "stop_reason": output.stop,
                "prompt_token_ids": None,
                "token_ids": None,
            }
            fields: dict[str, Any] = {**self._head, "choices": [choice]}
            if sampling.continuous_usage:
                fields["usage"] = self._usage()
            if output.finish is not None and not sampling.usage:
                fields["system_fingerprint"] = self._server.fingerprint
            yield sse.event(fields)
        if sampling.usage or self._server.flags.force_usage:
            fingerprint = self._server.fingerprint
            yield sse.event({**self._head, "choices": [], "usage": self._usage(), "system_fingerprint": fingerprint})
        yield sse.DONE

    def _prompt(self, index: int) -> str:
        per_prompt = self._asked[0].sampling.choices
        return self._asked[index // per_prompt].brief.prompt

    def _usage(self) -> dict[str, int]:
        tally = self._tally
        return {
            "prompt_tokens": tally.prompt,
            "total_tokens": tally.prompt + tally.completion,
            "completion_tokens": tally.completion,
        }
