"""What becomes of a chat or a prompt that vLLM has refused because it does not fit its context.

Ollama takes `num_predict` for a bound and no promise, and of a conversation that is too long keeps the system messages
and the newest messages that fit. So a refused call is put once more: without its bound, or without the beginning of
its conversation. How much must go, the engine itself counts (`/tokenize`), a few times: each count tells how many
tokens a character has, and so where to look next. Pure: answers of the engine in, calls out; `serving.conversion` asks.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from ..dialects.answer import Answer
from ..dialects.dialect import Dialect, Operation
from ..dialects.errors import render
from . import lengths, ollama_requests, translate, turns
from .exchange import Backend, Exchange
from .lengths import Overflow
from .ollama_requests import ChatRequest, GenerateRequest
from .translate import Translation

TOKENIZE: Final = "/tokenize"
_COUNTED: Final = ("model", "messages", "tools", "chat_template_kwargs", "prompt")
"""What of a call decides how many tokens its prompt has."""
_MOST_COUNTS: Final = 16
_MOST_TRIES: Final = 6
"""Calls that the engine may refuse after it has counted them, before it is believed."""
_ANSWER_TOKENS: Final = 1024
_ANSWER_SHARE: Final = 4
"""How much room a conversation that is cut leaves for its answer: so many tokens, and no more than a quarter of the
context. Ollama needs none, for it can go on in a full context; vLLM's answer ends there."""
_TOKENS_PER_CHARACTER: Final = 0.25
"""Of English; a first guess."""


class Count:
    """A question to the engine: how many tokens a prompt has. Read-only."""

    __slots__ = ("body",)

    def __init__(self, body: bytes) -> None:
        self.body = body
        """For `TOKENIZE`."""


class Fitting:
    """One call on its way to a form that fits: after each answer of the engine it says what to ask next."""

    def __init__(self, call: Translation, body: bytes, backend: Backend) -> None:
        """`body`: of a call that was translated before."""
        if call is Translation.CHAT:
            chat = ollama_requests.chat(body)
            self._request: ChatRequest | GenerateRequest = chat
            self._path, self._operation = translate.CHATS, Operation.CHAT
            self._params, self._warnings = translate.chat_parameters(chat, backend)
            self._messages: Sequence[ollama_requests.Message] = chat.messages or ()
        else:
            prompt = ollama_requests.generate(body)
            self._request = prompt
            self._operation = Operation.GENERATE
            self._path, self._params, self._warnings = translate.prompt_parameters(prompt, backend)
            self._messages = ()
        turned = self._params.get("messages")
        self._turns: list[object] = list(turned) if isinstance(turned, list) else []
        cuts = bool(self._messages) and self._request.truncate is not False
        self._begins = turns.beginnings(self._messages) if cuts else [0]
        self._weights = self._weighed()
        bound = self._params.get("max_tokens")
        self._bound = bound if isinstance(bound, int) else None
        self._bounded = self._bound is not None
        self._bound_asked_for = "num_predict" in (self._request.options or {})
        self._context_length = backend.context_length
        self._margin = 0
        """Tokens that the engine found beyond what it had counted: of images, in some releases."""
        self._rate = _TOKENS_PER_CHARACTER
        self._too_long = 0
        """The last beginning that is known not to fit."""
        self._fits = len(self._begins)
        """The first that is known to fit."""
        self._place = 0
        """The beginning that is counted, or asked for."""
        self._counts: dict[int, int] = {}
        """Tokens of each beginning that was counted."""
        self._asked = 0
        """Counts that were asked for."""
        self._tries = 0
        self.shortened = False
        """Whether the beginning of the conversation was left out."""

    def refused(self, said: bytes) -> Exchange | Count | Answer | None:
        """What to do about a call that was refused with these words, by status 400.

        None: nothing, for they are about something else. An Answer is for the caller.
        """
        overrun = lengths.of(said)
        self._tries += 1
        if overrun is None or self._tries > _MOST_TRIES:
            return None
        self._context_length = overrun.context_length or self._context_length
        if overrun.overflow is Overflow.ANSWER and self._bounded:
            self._bounded = False
            return self._made()
        if self.shortened:
            return self._shorten_more(overrun.prompt_tokens)
        return self._count(self._guess() if len(self._begins) > 1 else 0)

    def counted(self, status: int, said: bytes) -> Exchange | Count | Answer | None:
        """The same, after the engine has answered the last Count."""
        found = lengths.counted(said) if status == 200 else None
        if found is None and status != 400:
            return None  # it does not count; its first words stand
        place = self._place
        if found is not None:
            self._context_length = found.max_model_len or self._context_length
            self._counts[place] = found.count
            if found.count and self._weights[place]:
                self._rate = found.count / self._weights[place]
        if self._context_length is None:
            return None
        if len(self._begins) == 1:
            return None if found is None else self._too_much(found.count, self._context_length)
        if found is not None and found.count <= self._budget():
            self._fits = place
        else:  # or its template refuses a conversation that begins there
            self._too_long = place
        return self._narrow()

    def _narrow(self) -> Exchange | Count | Answer | None:
        """Count the next beginning, or take the first that fits."""
        last = len(self._begins) - 1
        if self._too_long >= last:
            return self._only_the_last()
        if self._fits - self._too_long == 1 or self._asked >= _MOST_COUNTS:
            return self._shortened(min(self._fits, last))
        return self._count(self._guess())

    def _only_the_last(self) -> Exchange | Count | Answer | None:
        """With nothing but the last message it leaves less room than it should: perhaps it fits nevertheless."""
        last = len(self._begins) - 1
        tokens = self._counts.get(last)
        if tokens is None or self._context_length is None:
            return None
        if tokens < self._context_length - self._margin:
            return self._shortened(last)
        return self._too_much(tokens, self._context_length)

    def _guess(self) -> int:
        """The beginning to count next: the first that fits, if tokens have the length that they had until now."""
        after, before = self._too_long + 1, min(self._fits, len(self._begins)) - 1
        if self._asked >= _MOST_COUNTS // 2:
            return (after + before) // 2  # the text is uneven
        budget = self._budget() if self._context_length is not None else 0
        for place in range(after, before):
            if self._weights[place] * self._rate <= budget:
                return place
        return before

    def _budget(self) -> int:
        """Tokens that a conversation may have, so that there is room for an answer."""
        length = self._context_length or 0
        answer = min(_ANSWER_TOKENS, length // _ANSWER_SHARE)
        if self._bound is not None:
            answer = min(answer, self._bound)
        return length - max(answer, 1) - self._margin

    def _shorten_more(self, tokens: int | None) -> Exchange | Count | Answer | None:
        """It was refused although its tokens had been counted."""
        known = self._counts.get(self._place, 0)
        self._margin += tokens - known if tokens is not None and tokens > known else max(self._budget() // 8, 1)
        self._too_long = max(self._too_long, self._place)
        self._fits = len(self._begins)
        for place, count in self._counts.items():
            if count <= self._budget():
                self._fits = min(self._fits, place) if place > self._too_long else self._fits
        return self._narrow()

    def _count(self, place: int) -> Count:
        self._place = place
        self._asked += 1
        params = self._at(place)
        return Count(msgspec.json.encode({name: params[name] for name in _COUNTED if name in params}))

    def _shortened(self, place: int) -> Exchange:
        self._place = place
        self.shortened = True
        tokens = self._counts.get(place, 0)
        if self._bound is not None and self._bound > (self._context_length or 0) - tokens:
            self._bounded = False
        return self._made()

    def _at(self, place: int) -> dict[str, object]:
        """The parameters of the conversation that begins at this one of the beginnings."""
        if place == 0:
            return self._params
        left = [self._turns[one] for one in turns.kept(self._messages, self._begins[place])]
        return {**self._params, "messages": left}

    def _made(self) -> Exchange:
        """The call as it is to be put now."""
        params, warnings = dict(self._at(self._place)), list(self._warnings)
        if not self._bounded and self._bound is not None:
            if self._path == translate.COMPLETIONS:
                params["max_tokens"] = None  # absent, it is 16
            else:
                del params["max_tokens"]
            warnings = [one for one in warnings if not one.startswith(translate.BOUND_WARNING)]
            if self._bound_asked_for:
                warnings.append(f"num_predict is {self._bound}, more than the context has room for beside the prompt")
        if self.shortened:
            every, begin = len(self._messages), self._begins[self._place]
            left_out = every - len(turns.kept(self._messages, begin))
            holds = f"the context holds {self._context_length} tokens"
            warnings.append(f"{left_out} of {every} messages were left out, the oldest first: {holds}")
        return translate.exchange(self._request, self._path, params, tuple(warnings), self._operation)

    def _too_much(self, tokens: int, context_length: int) -> Answer | None:
        """The refusal with these numbers; None where they do not say so, and the engine knows why."""
        if tokens < context_length - self._margin:
            return None
        return render(lengths.refusal(tokens, context_length), Dialect.OLLAMA)

    def _weighed(self) -> list[int]:
        """About how long the conversation is from each beginning on, with the system messages before it."""
        if len(self._begins) == 1:
            return [1]
        each = [turns.weight(message) for message in self._messages]
        systems = [weight if one.role == "system" else 0 for one, weight in zip(self._messages, each, strict=True)]
        left, before, done, out = sum(each), 0, 0, []
        for begin in self._begins:
            left -= sum(each[done:begin])
            before += sum(systems[done:begin])
            done = begin
            out.append(left + before)
        return out
