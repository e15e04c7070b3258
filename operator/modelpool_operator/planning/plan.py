"""The plan: what to apply, in order, what to delete, and why. Pure; the same inputs give the same plan."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from msgspec import structs

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool, PoolSpec, Sharing
from modelpool_operator.api.status import SharingStatus
from modelpool_operator.planning import (
    adoption,
    checks,
    comparison,
    eligibility,
    engine_keys,
    neighbours,
    node_choice,
    pull_records,
    pulls,
    replacing,
    sequence,
    sharing,
    start_turns,
    strays,
    turns,
    volumes,
)
from modelpool_operator.planning.cards import cards_of, objection_to_amounts
from modelpool_operator.planning.children import children_of
from modelpool_operator.planning.inventory import Inventory
from modelpool_operator.planning.manifests import ChildRef, Manifest, digest, ref_of, sealed
from modelpool_operator.planning.notes import notes_on
from modelpool_operator.planning.observed import Observed, cards_in
from modelpool_operator.planning.placement import OLLAMA_CARDS, Placement
from modelpool_operator.planning.refusals import Refusal
from modelpool_operator.planning.sharing import auto

CLAIM: Final = "PersistentVolumeClaim"
UNCHANGEABLE: Final = frozenset({"Job", "ResourceClaim"})
"""Kinds that are made and never changed."""
KEPT: Final = frozenset({CLAIM})
"""Kinds that outlive the wish for them: hours of download. They go with the pool, or outlive it where it says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to change. An empty plan is the sign of a reconciled pool, or of a refused one."""

    placement: Placement | Refusal
    apply: tuple[Manifest, ...] = ()
    """Whole manifests for server-side apply, in this order. Ready to send: owner, labels and seal are in them."""
    trims: tuple[strays.Trim, ...] = ()
    """What others added to children, to be taken out; before `apply`."""
    delete: tuple[ChildRef, ...] = ()
    """Children that the pool no longer wants, in this order, after `apply`; with background propagation."""
    replaced: frozenset[ChildRef] = frozenset()
    """Of these, the Deployments whose successors wait until they and their pods are gone."""
    why: Mapping[ChildRef, str] = field(default_factory=dict)
    """What is the matter with each child that is changed."""
    waits: tuple[str, ...] = ()
    """One sentence per change that has to wait until others have given memory back."""
    turns: tuple[str, ...] = ()
    """One sentence per change that has to wait until another card's engines answer."""
    starts: tuple[str, ...] = ()
    """One sentence per start that has to wait until an engine of another pool on the same card answers."""
    notes: tuple[str, ...] = ()
    """What could not be checked, and what the user should know; the condition `Planned` carries them."""
    sharing: SharingStatus | None = None
    """The way of sharing that was chosen, where the pool leaves it open."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """The hash of the pod template that each Deployment shall have, by its name; of a refused pool, none is known."""
    retemplated: frozenset[str] = frozenset()
    """Deployments that are there and whose template is put right by this plan."""
    key: str | None = None
    """The name of the Secret with the engines' key, where it is to be made, before `apply`."""

    def __bool__(self) -> bool:
        return bool(self.apply or self.trims or self.delete)

    @property
    def changed(self) -> Mapping[ChildRef, Manifest]:
        """Return the children that are applied or trimmed, as they shall be, sealed."""
        return {
            **{trim.ref: sealed(trim.wanted) for trim in self.trims},
            **{ref_of(manifest): manifest for manifest in self.apply},
        }

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return one sentence per change, for the log."""
        return tuple(f"{ref}: {why}" for ref, why in self.why.items())

    def without(self, refs: Collection[ChildRef]) -> "Plan":
        """Return the plan that leaves some children as they are."""
        return replace(
            self,
            apply=tuple(manifest for manifest in self.apply if ref_of(manifest) not in refs),
            trims=tuple(trim for trim in self.trims if trim.ref not in refs),
            delete=tuple(ref for ref in self.delete if ref not in refs),
            why={ref: why for ref, why in self.why.items() if ref not in refs},
        )

    @property
    def refusal(self) -> Refusal | None:
        """Why there is no plan, or None."""
        return self.placement if isinstance(self.placement, Refusal) else None


def make_plan(pool: ModelPool, observed: Observed) -> Plan:
    """Return what to change so that the cluster holds what the pool wants. A refusal changes and deletes nothing."""
    chosen = choose_sharing(pool, observed)
    if isinstance(chosen, Refusal):
        return Plan(placement=chosen)
    pool = with_sharing(pool, chosen)
    placed = place_pool(pool, observed)
    if isinstance(placed, Refusal):
        return Plan(placement=placed, sharing=chosen if chosen == observed.chosen else None)
    kept_off = _kept_off(pool, placed, observed)
    wanted = _wanted(pool, placed, observed, kept_off)
    changing = {ref: reason for ref, child in wanted.items() if (reason := _reason(child, observed)) is not None}
    several_nodes = any(model.most_replicas > 1 for model in pool.spec.models)
    waiting = {} if several_nodes else sequence.waits(placed, wanted, frozenset(changing), observed)
    later = {} if several_nodes else turns.turns(placed, wanted, frozenset(changing), observed)
    behind = replacing.predecessors(wanted, observed)
    starts = {} if several_nodes else start_turns.behind_others(pool, placed, wanted, frozenset(changing), observed)
    held = waiting.keys() | later.keys() | behind.keys() | starts.keys()
    changes = {ref: reason for ref, reason in changing.items() if ref not in held}
    kept, void = (
        pulls.kept_records(pool, observed),
        {
            *pulls.void_records(pool, observed),
            *pulls.outdated(wanted, observed),
        },
    )
    unwanted = (
        *(ref for ref in observed.children if ref not in wanted and ref.kind not in KEPT and ref not in kept),
        *void,
        *(ref for ref, old in behind.items() if ref == old),
    )
    doomed = tuple(ref for ref in unwanted if not pulls.is_going(observed.children[ref]))
    return Plan(
        placement=placed,
        apply=tuple(
            sealed(_to_send(child, observed))
            for ref, child in wanted.items()
            if ref in changes and not _is_applied(child, observed)
        ),
        trims=tuple(trim for ref in changes if (trim := _trim(wanted[ref], observed)) is not None),
        delete=tuple(sorted(doomed)),
        replaced=frozenset(doomed).intersection(behind.values()),
        why={
            **changes,
            **{ref: "is to be made anew" if ref in wanted else "the pool no longer wants it" for ref in sorted(doomed)},
        },
        waits=tuple(str(wait) for wait in waiting.values()),
        turns=tuple(str(turn) for turn in later.values()),
        starts=tuple(starts.values()),
        notes=(
            *placed.notes,
            *notes_on(pool),
            *volumes.notes_on(pool, wanted.values(), observed),
            *node_choice.notes_on(kept_off),
        ),
        sharing=chosen,
        templates={ref.name: sequence.template_of(child) for ref, child in wanted.items() if ref.kind == "Deployment"},
        retemplated=frozenset(ref.name for ref in changes if _is_retemplated(wanted[ref], observed)),
        key=engine_keys.absent(pool, observed),
    )


def _kept_off(pool: ModelPool, placed: Placement, observed: Observed) -> frozenset[str]:
    """Return the host names of nodes that are too small for all engines, found before there is any, and kept since."""
    if not node_choice.is_made_for(pool):
        return frozenset()
    engines, offered = settled_cards(observed), offered_to(pool, observed)
    if engines:
        return node_choice.kept_off(observed.children.values(), offered if observed.every_node else Inventory())
    if not observed.every_node:
        return frozenset()
    used = frozenset(gpu for share in placed.shares for gpu in share.gpus)
    needs = node_choice.needs_of(
        _wanted(pool, placed, observed, frozenset()).values(), sharing.mode_of(pool.spec).of_node(used)
    )
    volume = observed.child(CLAIM, names.cache_name(pool.ref.name))
    return node_choice.left_out(needs, offered, pool, volume)


def _wanted(
    pool: ModelPool, placed: Placement, observed: Observed, kept_off: frozenset[str]
) -> Mapping[ChildRef, Manifest]:
    """Return all that shall exist."""
    pool = node_choice.keeping_off(pool, kept_off)
    not_pulled, removed = pulls.too_large(pool, observed).keys(), pulls.retired(pool, observed)
    uid = pulls.volume_uid(pool, observed)
    without_jobs, recorded = pulls.done_without_a_job(pool, observed), pull_records.recorded(pool, uid, observed)
    children = children_of(
        pool,
        placed,
        uid,
        whole_card=offered_to(pool, observed).whole_card,
        not_pulled=not_pulled | without_jobs,
        removed=removed,
        recorded=recorded,
        installation=observed.installation,
    )
    return {ref_of(child): node_choice.marked(child, kept_off) for child in children}


def choose_sharing(pool: ModelPool, observed: Observed) -> SharingStatus | Refusal | None:
    """Return the way of sharing of a pool that leaves it open: the one it runs with, else one that its nodes offer.

    None of a pool that says how it shares its cards.
    """
    if pool.spec.gpus.sharing is not Sharing.AUTO:
        return None
    before = auto.kept(pool.spec, observed.chosen, runs=any(ref.kind == "Deployment" for ref in observed.children))
    if before is not None:
        return before
    return sharing.chosen_for(pool.spec, offered_to(pool, observed))


def with_sharing(pool: ModelPool, chosen: SharingStatus | None) -> ModelPool:
    """Return the pool as if it said what was chosen for it."""
    return pool if chosen is None else structs.replace(pool, spec=auto.settled(pool.spec, chosen))


def place_pool(pool: ModelPool, observed: Observed) -> Placement | Refusal:
    """Return where the pool's engines go, keeping those that run where they are, or why the pool cannot be.

    The pool says how it shares its cards; where it leaves that open, `with_sharing` comes first.
    """
    cache = observed.child(CLAIM, names.cache_name(pool.ref.name))
    if (objection := checks.objection_to(pool) or volumes.objection_to(pool, cache)) is not None:
        return objection
    sizes = card_sizes(pool.spec, offered_to(pool, observed))
    if (objection := objection_to_amounts(pool.spec, sizes)) is not None:
        return objection
    cards = cards_of(pool.spec, min((least for least, *_ in sizes.values()), default=None))
    if isinstance(cards, Refusal):
        return cards
    return neighbours.place_beside(pool, cards, settled_cards(observed), observed)


def offered_to(pool: ModelPool, observed: Observed) -> Inventory:
    """Return what the pool's nodes offer."""
    held = {pod.node for pod in observed.pods if pod.node is not None and pod.held > 0}
    return eligibility.nodes_of(pool.spec, observed.inventory, held)


def card_sizes(spec: PoolSpec, offered: Inventory) -> Mapping[str, tuple[int, ...]]:
    """Return the bytes of the cards of each node, or of their slices where the pool asks for these, the least first."""
    by_devices = spec.gpus.sharing is Sharing.DRA
    return offered.memories(by_devices=by_devices, resource=sharing.mode_of(spec).resource(spec))


def settled_cards(observed: Observed) -> Mapping[str, tuple[int, ...]]:
    """Return the cards that the live Deployments stand on, by vLLM model, and Ollama's as `place` takes it."""
    settled: dict[str, tuple[int, ...]] = {}
    for live in observed.children.values():
        annotations = live["metadata"].get("annotations") or {}
        cards = cards_in(annotations.get(names.CARD_ANNOTATION, ""))
        if live["kind"] == "Deployment" and cards:
            settled[annotations.get(names.MODEL_ANNOTATION, OLLAMA_CARDS)] = cards
    return settled


def _reason(wanted: Manifest, observed: Observed) -> str | None:
    """Return why `wanted` must be applied, or None when nothing is to be done now."""
    live = observed.children.get(ref_of(wanted))
    if live is None:
        waits = wanted["kind"] == "Job" and not _ollama_answers(wanted, observed)
        return None if waits else "is absent"
    if pulls.is_going(live):
        return None
    if adoption.is_orphan(live) and wanted["metadata"].get("ownerReferences"):
        return "has no owner and is taken up again"
    if wanted["kind"] in UNCHANGEABLE:
        return None
    if wanted["kind"] == CLAIM:
        return volumes.change_of(wanted, live)
    added = strays.strays_in(wanted, live)
    if comparison.is_in_place(wanted, live):
        return f"{added[0].path} was added by somebody else" if added else None
    seal = (live["metadata"].get("annotations") or {}).get(names.APPLIED_ANNOTATION)
    changed = comparison.difference(wanted, live)
    if seal != digest(wanted):
        return f"the pool wants {changed} changed" if changed else "was not applied by this version"
    return f"{changed} was changed by somebody else"


def _is_applied(wanted: Manifest, observed: Observed) -> bool:
    """Return whether a child that is to be changed has all that is wanted of it, or can have no more."""
    live = observed.children.get(ref_of(wanted))
    if live is None or wanted["kind"] == CLAIM:
        return False
    return wanted["kind"] in UNCHANGEABLE or comparison.is_in_place(wanted, live)


def _trim(wanted: Manifest, observed: Observed) -> strays.Trim | None:
    live = observed.children.get(ref_of(wanted))
    if live is not None and wanted["kind"] in UNCHANGEABLE:
        return adoption.adoption_of(wanted, live)
    return None if live is None else strays.trim_of(wanted, live)


def _is_retemplated(wanted: Manifest, observed: Observed) -> bool:
    live = observed.children.get(ref_of(wanted)) if wanted["kind"] == "Deployment" else None
    if live is None:
        return False
    found = comparison.difference(wanted["spec"]["template"], live["spec"]["template"], "/spec/template")
    return found is not None


def _to_send(wanted: Manifest, observed: Observed) -> Manifest:
    live = observed.children.get(ref_of(wanted))
    return volumes.as_changed(wanted, live) if live is not None and wanted["kind"] == CLAIM else wanted


def _ollama_answers(job: Manifest, observed: Observed) -> bool:
    """Return whether a server is there to pull for: a Job that starts earlier only wastes its retries."""
    pool = job["metadata"]["ownerReferences"][0]["name"]
    server = observed.child("Deployment", names.ollama_name(pool))
    return server is not None and ((server.get("status") or {}).get("availableReplicas") or 0) > 0
