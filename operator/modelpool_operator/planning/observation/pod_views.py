"""A pod, reduced to what decisions need. Pure and tolerant: an absent field reads as nothing, never as an error."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from modelpool_operator.api import names
from modelpool_operator.api.quantity import count_in
from modelpool_operator.planning.observation.holdings import counter_in, fraction_in, percent_in


def cards_in(text: str) -> tuple[int, ...]:
    """Return the cards that an annotation names, `0,1`; none where it is no such text."""
    cards = tuple(count_in(part) for part in text.split(","))
    return tuple(card for card in cards if card is not None) if None not in cards else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """One container of a pod."""

    name: str
    ready: bool = False
    running: bool = False
    started: bool = False
    """Whether its startup probe has succeeded."""
    restarts: int = 0
    waiting_reason: str = ""
    """`ImagePullBackOff`, `CrashLoopBackOff`, `ContainerCreating` and the like; empty when it does not wait."""
    waiting_message: str = ""
    ended_reason: str = ""
    """Of the last end, this one or the one before a restart: `OOMKilled`, `Error`, `Completed`."""
    ended_message: str = ""
    """The termination message: the last lines of the log when it failed."""
    exit_code: int | None = None

    @classmethod
    def from_status(cls, status: Mapping[str, Any]) -> Self:
        """Return the view of one entry of `status.containerStatuses`."""
        state = status.get("state") or {}
        waiting = state.get("waiting") or {}
        ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
        return cls(
            name=status.get("name", ""),
            ready=bool(status.get("ready")),
            running="running" in state,
            started=bool(status.get("started")),
            restarts=int(status.get("restartCount") or 0),
            waiting_reason=waiting.get("reason") or "",
            waiting_message=waiting.get("message") or "",
            ended_reason=ended.get("reason") or "",
            ended_message=ended.get("message") or "",
            exit_code=ended.get("exitCode"),
        )


LINES: Final = 40
"""Of a log that are looked at, the last ones: enough to find the last progress bar or error in."""
LINE_LENGTH: Final = 400
"""Characters of a line of a log that are looked at. Whoever runs in an engine writes them, as long as they like, and to
search a line takes more than its length."""
GATED: Final = "ReadinessGatesNotReady"
"""The kubelet's reason for a pod that is not ready although its containers are: somebody's gate is not open."""


def _is_lost(phase: str, ready: Mapping[str, Any], containers: tuple[ContainerView, ...]) -> bool:
    """Return whether it was not the kubelet who last spoke of a pod: it takes a pod's readiness from its containers'.

    When a node falls silent, the node controller marks its pods as not ready, and touches no container.
    """
    if phase != "Running" or ready.get("status") == "True" or ready.get("reason") == GATED:
        return False
    return bool(containers) and all(one.ready for one in containers)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """One pod of the pool."""

    name: str
    component: str = ""
    """`vllm`, `ollama` or `pull`: the label app.kubernetes.io/name."""
    model: str | None = None
    """The model's real name, from the annotation."""
    template: str = ""
    """Hash of the pod template it was made from."""
    created: str = ""
    """RFC 3339; sorts as text."""
    phase: str = "Pending"
    reason: str = ""
    """Why the whole pod failed: `Evicted`, `UnexpectedAdmissionError` and the like."""
    message: str = ""
    """The same in words."""
    node: str | None = None
    ready: bool = False
    deleting: bool = False
    lost: bool = False
    """Whether its node is not heard of any more: the pod counts as unready although its containers were last ready."""
    unschedulable: str | None = None
    """The scheduler's words, or None when a node was found or not yet looked for."""
    gpus: tuple[int, ...] = ()
    """Its cards, by the plan that it was made from."""
    held: int = 0
    """Bytes that it may hold of each of them, by the same plan."""
    counter: str | None = None
    """Who counts its cards, as `holdings.Hold` has it."""
    fraction: float | None = None
    """Which part of its cards it is told to take, beside the context, where it says so."""
    percent: int | None = None
    """How much of them it asks HAMi for."""
    gate: str | None = None
    """The kubelet's words on a readiness gate that keeps a pod of ready containers from being ready."""
    containers: tuple[ContainerView, ...] = ()
    """In any order, those that somebody injected among them."""
    inits: tuple[ContainerView, ...] = ()
    """Containers that run before these, or, as sidecars, beside them. The operator makes none."""
    log: tuple[str, ...] = ()
    """Last lines of the engine's log, oldest first. Only read where `wants_log` says so."""

    @classmethod
    def from_manifest(cls, pod: Mapping[str, Any], log: Iterable[str] = ()) -> Self:
        """Return the view of a Pod, with the last lines of its log where somebody read them."""
        metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
        containers = tuple(ContainerView.from_status(one) for one in status.get("containerStatuses") or ())
        ready = conditions.get("Ready", {})
        scheduled = conditions.get("PodScheduled", {})
        unschedulable = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
        return cls(
            name=metadata.get("name", ""),
            component=labels.get(names.NAME_LABEL, ""),
            model=annotations.get(names.MODEL_ANNOTATION),
            template=annotations.get(names.TEMPLATE_ANNOTATION, ""),
            created=str(metadata.get("creationTimestamp") or ""),
            phase=status.get("phase") or "Pending",
            reason=status.get("reason") or "",
            message=status.get("message") or "",
            node=(pod.get("spec") or {}).get("nodeName"),
            ready=ready.get("status") == "True",
            lost=_is_lost(status.get("phase") or "", ready, containers),
            deleting=bool(metadata.get("deletionTimestamp")),
            gpus=cards_in(annotations.get(names.CARD_ANNOTATION, "")),
            held=count_in(annotations.get(names.MEMORY_ANNOTATION)) or 0,
            counter=counter_in(pod.get("spec") or {}),
            fraction=fraction_in(pod.get("spec") or {}),
            percent=percent_in(pod.get("spec") or {}),
            unschedulable=(scheduled.get("message") or "no node fits") if unschedulable else None,
            gate=(ready.get("message") or "") if ready.get("reason") == GATED else None,
            containers=containers,
            inits=tuple(ContainerView.from_status(one) for one in status.get("initContainerStatuses") or ()),
            log=tuple(line[:LINE_LENGTH] for line in tuple(log)[-LINES:]),
        )

    @property
    def engine(self) -> ContainerView:
        """The operator's own container, which bears the component's name; an empty view before it has a status.

        Ollama may have two servers: of them the first one that is not ready.
        """
        named = (self.component, names.OLLAMA_CPU_CONTAINER)
        own = sorted((one for one in self.containers if one.name in named), key=lambda one: one.name != self.component)
        return next((one for one in own if not one.ready), own[0] if own else ContainerView(name=self.component))

    @property
    def injected(self) -> tuple[ContainerView, ...]:
        """Containers that somebody else has put there, in the order in which they begin."""
        return tuple(one for one in (*self.inits, *self.containers) if one.name not in names.OWN_CONTAINERS)

    @property
    def wants_log(self) -> bool:
        """Whether the engine runs without being ready, or pulls, so that its log tells how far it has come.

        Of a node that is not heard of, nobody has the log.
        """
        busy = not self.ready or self.component == names.PULL_COMPONENT
        return busy and not self.deleting and not self.lost and self.engine.running
