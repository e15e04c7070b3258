"""The order in which waiting requests are served: a data structure, without tasks, futures or a clock.

Callers take turns, so one busy caller cannot starve the others; within a caller lower `priority` goes first, then
arrival. An engine that must swap models (Ollama) serves the model it has loaded first, but nobody is passed over more
often than `patience` times in a row.
"""

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


class FairQueue:
    """Tickets that wait for one backend. The bound on their number is the chooser's business."""

    def __init__(self, *, patience: int | None = None) -> None:
        """`patience`: group by model, and let nobody be passed over more often than this; None: no grouping."""
        self._patience = patience
        self._callers: OrderedDict[str, list[Ticket]] = OrderedDict()
        self._arrivals = 0

    def __len__(self) -> int:
        return sum(len(tickets) for tickets in self._callers.values())

    def __iter__(self) -> Iterator[Ticket]:
        return (ticket for tickets in list(self._callers.values()) for ticket in list(tickets))

    def push(self, ticket: Ticket) -> None:
        """Add a ticket at its place within its caller's line."""
        self._arrivals += 1
        ticket.arrival = self._arrivals
        line = self._callers.setdefault(ticket.caller, [])
        line.append(ticket)
        line.sort(key=lambda one: (one.priority, one.arrival))

    def remove(self, ticket: Ticket) -> None:
        """Take a ticket out because its caller has left; one that is not there is fine."""
        line = self._callers.get(ticket.caller)
        if line is None or ticket not in line:
            return
        line.remove(ticket)
        if not line:
            del self._callers[ticket.caller]

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
        for head in (line[0] for line in self._callers.values()):
            head.passed_over += self._patience is not None and head.arrival < chosen.arrival
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
