"""The order in which waiting requests are served: a data structure, without tasks, futures or a clock.

Callers take turns, so one busy caller cannot starve the others; within a caller lower `priority` goes first, then
arrival. An engine that must swap models (Ollama) serves the model it has loaded first, but nobody is passed over more
often than `patience` times in a row.

Who may join is decided as fairly as the order. A full queue takes a request of a caller who has less in it than
another, in place of the newest request of the caller who has the most: the bound stays hard, whatever callers there
are, and nobody can fill a queue alone against those who come later. To take a caller's first request on top would need
a second bound, for callers, behind which the same question waits.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket:
    """One waiting request. Identity counts, not equality."""

    caller: str
    model: str
    priority: int = 0
    arrival: int = field(default=0, init=False)
    passed_over: int = field(default=0, init=False)


def _place(ticket: Ticket) -> tuple[int, int]:
    return ticket.priority, ticket.arrival


class FairQueue:
    """Tickets that wait for one backend. When to apply the bound on their number is the chooser's business."""

    def __init__(self, *, patience: int | None = None) -> None:
        """`patience`: group by model, and let nobody be passed over more often than this; None: no grouping."""
        self._patience = patience
        self._callers: OrderedDict[str, list[Ticket]] = OrderedDict()
        self._arrivals = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Ticket]:
        return (ticket for tickets in list(self._callers.values()) for ticket in list(tickets))

    def push(self, ticket: Ticket) -> None:
        """Add a ticket at its place within its caller's line."""
        self._arrivals += 1
        ticket.arrival = self._arrivals
        line = self._callers.get(ticket.caller)
        if line is None:
            line = self._callers[ticket.caller] = []
        insort(line, ticket, key=_place)
        self._size += 1

    def remove(self, ticket: Ticket) -> None:
        """Take a ticket out because its caller has left; one that is not there is fine."""
        line = self._callers.get(ticket.caller)
        if line is None:
            return
        place = bisect_left(line, _place(ticket), key=_place)
        if place == len(line) or line[place] is not ticket:
            return
        del line[place]
        self._size -= 1
        if not line:
            del self._callers[ticket.caller]

    def admits(self, caller: str, bound: int) -> bool:
        """Whether one more of this caller may come in: there is room, or another has so much more that it yields."""
        if self._size < bound:
            return True
        own = self._callers.get(caller)
        return self._most() > (0 if own is None else len(own)) + 1

    def displaced(self) -> Ticket | None:
        """Take out who yields when there is one too many: the newest ticket of the caller who has the most."""
        most = self._most()
        line = next((line for line in self._callers.values() if len(line) == most), None)
        if line is None:
            return None
        newest = max(line, key=lambda one: one.arrival)
        self.remove(newest)
        return newest

    def _most(self) -> int:
        return max(map(len, self._callers.values()), default=0)

    def peek(self, loaded: str | None = None) -> Ticket | None:
        """Whose turn it is, given the model that the engine has loaded; None when nobody waits."""
        if not self._callers:
            return None
        in_turn = next(iter(self._callers.values()))[0]
        return in_turn if self._patience is None else self._grouped(in_turn, loaded, self._patience)

    def pop(self, loaded: str | None = None) -> Ticket | None:
        """Take out the one whose turn it is; its caller has had its turn."""
        chosen = self.peek(loaded)
        if chosen is None:
            return None
        if self._patience is not None:
            for line in self._callers.values():
                line[0].passed_over += line[0].arrival < chosen.arrival
        self.remove(chosen)
        if chosen.caller in self._callers:
            self._callers.move_to_end(chosen.caller)
        return chosen

    def _grouped(self, in_turn: Ticket, loaded: str | None, patience: int) -> Ticket:
        impatient = [line[0] for line in self._callers.values() if line[0].passed_over >= patience]
        if impatient:
            return min(impatient, key=lambda one: one.arrival)
        alike = (ticket for line in self._callers.values() for ticket in line if ticket.model == loaded)
        return next(alike, in_turn)
