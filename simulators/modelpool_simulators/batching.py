"""Continuous batching, decided step by step: who runs, who waits, how long a step takes.

Pure: no clock, no tasks. `engine` calls `step` in a loop and lets the returned seconds pass; unit tests just add them
up.

The model of time: a step reads all weights once, so decoding one token for a whole batch takes little longer than for
one sequence (`batch_slowdown` per further sequence, `context_slowdown` per token of cache that is read beside the
weights); prompts are computed in chunks at their own rate, slower with what stands before them, and share the steps.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

BLOCK = 16
"""Tokens per cache block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast the simulated card computes."""

    prefill_tokens_per_second: float
    decode_tokens_per_second: float
    """Of one sequence alone."""
    batch_slowdown: float
    """Share by which each further sequence lengthens a decode step."""
    draft_tokens: int = 0
    """Speculative tokens proposed per sequence and step."""
    draft_acceptance: float = 0.0
    """Share of them that is accepted."""
    draft_slowdown: float = 0.0
    """Share by which drafting and checking lengthen a decode step."""
    context_slowdown: float = 0.0
    """Share by which each token of context of any sequence lengthens a decode step."""
    context_at_rate: int = 0
    """Tokens of context that `decode_tokens_per_second` already includes."""
    prefill_slowdown: float = 0.0
    """Share by which each token before it lengthens the computing of a token of a prompt."""


@dataclass(slots=True, kw_only=True, eq=False)
class Sequence:
    """One prompt and the answer it will get. Only `Batch` changes it."""

    prompt: int
    """Tokens of the prompt."""
    length: int
    """Tokens of the answer, at least one."""
    cached: int = 0
    """Tokens of the prompt that the prefix cache holds."""
    produced: int = 0
    pending: int = -1
    """Tokens still to be computed before the next one can be decoded; -1 while waiting."""
    blocks: int = 0
    steps: int = 0
    preemptions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one pass over the weights did."""

    seconds: float
    produced: tuple[tuple[Sequence, int], ...]
    """Sequences that got tokens, and how many."""
    admitted: tuple[Sequence, ...]
    prefilled: int
    preempted: int
    drafts: int
    """Sequences for which tokens were drafted."""
    accepted: tuple[int, ...]
    """For each of them, how many drafted tokens were kept."""

    @property
    def ends_an_answer(self) -> bool:
        """Whether a sequence got its last token."""
        return any(one.produced >= one.length for one, _ in self.produced)


class Batch:
    """The running sequences, the waiting ones, and the cache blocks they hold."""

    def __init__(self, pace: Pace, *, max_sequences: int, cache_tokens: int, step_tokens: int = 2048) -> None:
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self._pace = pace
        self._max_sequences = max_sequences
        self._blocks = max(cache_tokens // BLOCK, 1)
        self._used = 0
        self._step_tokens = step_tokens

    @property
    def usage(self) -> float:
        """Share of the cache blocks in use."""
        return self._used / self._blocks

    def add(self, sequence: Sequence) -> None:
        """Put a sequence at the end of the queue."""
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence, wherever it is."""
        if sequence in self.running:
            self.running.remove(sequence)
            self._release(sequence)
        elif sequence in self.waiting:
            self.waiting.remove(sequence)

    def step(self, budget: float = 0.0) -> Step:
        """Advance every sequence that can advance: by one pass, or by as many as take no longer than `budget` seconds.

        Several passes count as one step where they would be alike: nothing is read, admitted, given up or completed.
        """
        preempted = self._make_room()
        decoding = [one for one in self.running if one.pending == 0]
        seconds = self._decode_seconds(decoding)
        prefilled, prefill_seconds = self._prefill(0)
        seconds += prefill_seconds
        admitted: list[Sequence] = []
        while (
            self.waiting and len(self.running) < self._max_sequences and prefilled < self._step_tokens and not preempted
        ):
            if not self._admit(self.waiting[0]):
                break
            admitted.append(self.waiting.popleft())
            prefilled, prefill_seconds = self._prefill(prefilled)
            seconds += prefill_seconds
        fresh = [one for one in self.running if one.pending == 0 and one not in decoding]
        alike = not (prefilled or fresh or preempted)
        passes = self._passes(decoding, budget / seconds) if alike and budget > seconds else 1
        drafts = [[self._accepted(one, at) for at in range(passes)] for one in decoding]
        seconds += (passes - 1) * (seconds + self._reading_more(decoding, passes) / 2)
        produced = [(one, passes + sum(drafts[at])) for at, one in enumerate(decoding)]
        produced += [(one, 1) for one in fresh]
        kept = tuple((one, self._produce(one, tokens, passes)) for one, tokens in produced)
        accepted = tuple(tokens for each in drafts for tokens in each) if self._pace.draft_tokens else ()
        return Step(
            seconds=seconds,
            produced=kept,
            admitted=tuple(admitted),
            prefilled=prefilled,
            preempted=preempted,
            drafts=len(accepted),
            accepted=accepted,
        )

    def _passes(self, decoding: list[Sequence], wanted: float) -> int:
        """Return how many passes may follow each other without one that is unlike the others, at least one."""
        most = 1 + self._pace.draft_tokens
        passes = min([int(wanted), *((one.length - one.produced - 1) // most for one in decoding)])
        more = sum(-(-(one.prompt + one.produced + passes * most) // BLOCK) - one.blocks for one in decoding)
        if passes < 2 or more > self._blocks - self._used:
            return 1
        for one in decoding:
            self._grow(one, one.prompt + one.produced + passes * most)
        return passes

    def _reading_more(self, decoding: list[Sequence], passes: int) -> float:
        """Return by how many seconds the last of some passes is longer than the first: the context has grown."""
        tokens = 1 + self._pace.draft_tokens * self._pace.draft_acceptance
        read = sum(one.prompt + one.produced for one in decoding) - self._pace.context_at_rate
        more = (passes - 1) * tokens * len(decoding)
        growth = max(0.0, read + more) - max(0.0, read)
        return growth * self._pace.context_slowdown / self._pace.decode_tokens_per_second

    def _make_room(self) -> int:
        """Reserve a block for each next token; without one, the youngest sequence goes back to the queue."""
        preempted = 0
        for one in list(self.running):
            while one in self.running and not self._grow(one, one.prompt + one.produced + 1 + self._pace.draft_tokens):
                victim = self.running.pop()
                self._release(victim)
                victim.pending = -1
                victim.preemptions += 1
                self.waiting.appendleft(victim)
                preempted += 1
        return preempted

    def _admit(self, one: Sequence) -> bool:
        if not self._grow(one, one.prompt + one.produced + 1 + self._pace.draft_tokens):
            return False
        one.pending = max(one.prompt + one.produced - one.cached, 1)
        self.running.append(one)
        return True

    def _prefill(self, prefilled: int) -> tuple[int, float]:
        """Compute what still fits into the step; return its tokens so far, and the seconds this took."""
        seconds = 0.0
        for one in self.running:
            chunk = min(one.pending, self._step_tokens - prefilled)
            if chunk:
                before = one.prompt + one.produced - one.pending + chunk / 2
                seconds += chunk * (1 + self._pace.prefill_slowdown * before) / self._pace.prefill_tokens_per_second
                one.pending -= chunk
                prefilled += chunk
        return prefilled, seconds

    def _accepted(self, one: Sequence, ahead: int) -> int:
        """Spread the accepted share evenly over the passes, so that it is the same in every run."""
        rate = self._pace.draft_tokens * self._pace.draft_acceptance
        at = one.steps + ahead
        return min(int((at + 1) * rate) - int(at * rate), self._pace.draft_tokens)

    def _produce(self, one: Sequence, tokens: int, passes: int) -> int:
        tokens = min(tokens, one.length - one.produced)
        one.produced += tokens
        one.steps += passes
        if one.produced >= one.length:
            self.remove(one)
        return tokens

    def _decode_seconds(self, decoding: list[Sequence]) -> float:
        if not decoding:
            return 0.0
        pace = self._pace
        read = max(0, sum(one.prompt + one.produced for one in decoding) - pace.context_at_rate)
        slowdown = pace.batch_slowdown * (len(decoding) - 1) + pace.context_slowdown * read + pace.draft_slowdown
        return (1 + slowdown) / pace.decode_tokens_per_second

    def _grow(self, one: Sequence, tokens: int) -> bool:
        more = -(-tokens // BLOCK) - one.blocks
        alone = self._used == one.blocks
        if more > self._blocks - self._used and not alone:
            return False
        self._used += max(more, 0)
        one.blocks += max(more, 0)
        return True

    def _release(self, one: Sequence) -> None:
        self._used -= one.blocks
        one.blocks = 0
