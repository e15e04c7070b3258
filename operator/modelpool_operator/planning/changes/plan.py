"""The plan: what to apply, in order, what to delete, and why. Pure; the same inputs give the same plan."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import SharingStatus
from modelpool_operator.planning.changes import (
    card_rollout,
    child_changes,
    foreign_fields,
    memory_waits,
    pulls,
    replacing,
    start_waits,
)
from modelpool_operator.planning.changes.notes import notes_on
from modelpool_operator.planning.changes.ollama_volume import UNKNOWN, Volume, volume_of
from modelpool_operator.planning.changes.wanted import wanted_of
from modelpool_operator.planning.manifests import engine_keys, network_policies, volumes
from modelpool_operator.planning.memory.refusals import Refusal
from modelpool_operator.planning.objects.identity import (
    ChildRef,
    Manifest,
    is_going,
    ref_of,
    sealed,
    template_of,
)
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement import node_choice
from modelpool_operator.planning.placement.pool_placement import (
    as_kept,
    choose_sharing,
    with_sharing,
)
from modelpool_operator.planning.sharing.shares import Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to change. An empty plan is the sign of a reconciled pool, or of a refused one."""

    placement: Placement | Refusal
    apply: tuple[Manifest, ...] = ()
    """Whole manifests for server-side apply, in this order. Ready to send: owner, labels and seal are in them."""
    trims: tuple[foreign_fields.Trim, ...] = ()
    """What of children is put right by patches, before `apply`: what others added, and what stands in the way of it."""
    delete: tuple[ChildRef, ...] = ()
    """Children that the pool no longer wants, in this order, after `apply`; with background propagation."""
    replaced: frozenset[ChildRef] = frozenset()
    """Of these, the Deployments whose successors wait until they and their pods are gone."""
    why: Mapping[ChildRef, str] = field(default_factory=dict)
    """What is the matter with each child that is changed."""
    waits: tuple[str, ...] = ()
    """One sentence per change that has to wait until others have given memory back."""
    rollout_waits: tuple[str, ...] = ()
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
    volume: Volume = UNKNOWN
    """What was found of the volume of the pool's Ollama."""
    settled: ModelPool | None = None
    """The pool with its way of sharing chosen; None where it leaves that open, and nothing was chosen."""
    key: str | None = None
    """The name of the Secret with the engines' key, where it is to be made, before `apply`."""

    def __bool__(self) -> bool:
        return bool(self.apply or self.trims or self.delete)

    @property
    def twice(self) -> frozenset[ChildRef]:
        """The children that take two writes: they are trimmed, and then applied."""
        return frozenset(trim.ref for trim in self.trims).intersection(map(ref_of, self.apply))

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

    def as_done(self, *, refused: Collection[ChildRef], unchanged: Collection[ChildRef]) -> "Plan":
        """Return what of the plan was done: not what was refused, nor what came back as it was before."""
        same = {ref.name for ref in unchanged if ref.kind == "Deployment"}
        return replace(self.without({*refused, *unchanged}), retemplated=self.retemplated - same)

    @property
    def refusal(self) -> Refusal | None:
        """Why there is no plan, or None."""
        return self.placement if isinstance(self.placement, Refusal) else None


def make_plan(pool: ModelPool, observed: Observed) -> Plan:
    """Return what to change so that the cluster holds what the pool wants.

    A refusal changes nothing that runs and deletes nothing; whether volumes outlive the pool is carried out.
    """
    volume = volume_of(pool, observed)
    chosen = choose_sharing(pool, observed)
    if isinstance(chosen, Refusal):
        return _refused(chosen, pool, volume, observed)
    pool = with_sharing(pool, chosen)
    found = wanted_of(pool, volume, observed)
    if isinstance(found, Refusal):
        kept = chosen if chosen == observed.chosen else None
        return _refused(as_kept(found, pool, chosen), pool, volume, observed, kept)
    placed, wanted, kept_off = found
    changing = {
        ref: change for ref, child in wanted.items() if (change := child_changes.change_of(child, observed)) is not None
    }
    several_nodes = pool.spec.replicated
    waiting = {} if several_nodes else memory_waits.waits(placed, wanted, frozenset(changing), observed)
    later = {} if several_nodes else card_rollout.waits_for_cards(placed, wanted, frozenset(changing), observed)
    behind = replacing.predecessors(wanted, observed)
    starts = {} if several_nodes else start_waits.behind_others(pool, placed, wanted, frozenset(changing), observed)
    held = waiting.keys() | later.keys() | behind.keys() | starts.keys()
    changes = {ref: change for ref, change in changing.items() if ref not in held}
    needed = pulls.kept_records(pool, volume, observed)
    void = {*pulls.void_records(pool, volume, observed), *pulls.outdated(wanted, observed)}
    unwanted = (
        *(
            ref
            for ref in observed.children
            if ref not in wanted and ref.kind not in child_changes.KEPT and ref not in needed
        ),
        *void,
        *(ref for ref, old in behind.items() if ref == old),
    )
    doomed = tuple(ref for ref in unwanted if not is_going(observed.children[ref]))
    return Plan(
        placement=placed,
        apply=tuple(sealed(one.apply) for one in changes.values() if one.apply is not None),
        trims=tuple(one.trim for one in changes.values() if one.trim is not None),
        delete=tuple(sorted(doomed)),
        replaced=frozenset(doomed).intersection(behind.values()),
        why={
            **{ref: one.reason for ref, one in changes.items()},
            **{ref: "is to be made anew" if ref in wanted else "the pool no longer wants it" for ref in sorted(doomed)},
        },
        waits=tuple(str(wait) for wait in waiting.values()),
        rollout_waits=tuple(str(turn) for turn in later.values()),
        starts=tuple(starts.values()),
        notes=(
            *placed.notes,
            *notes_on(pool),
            *network_policies.notes_on(pool, observed.installation),
            *volumes.notes_on(pool, wanted.values(), observed),
            *node_choice.notes_on(kept_off),
        ),
        sharing=chosen,
        templates={ref.name: template_of(child) for ref, child in wanted.items() if ref.kind == "Deployment"},
        retemplated=frozenset(ref.name for ref, one in changes.items() if one.retemplated),
        volume=volume,
        settled=pool,
        key=engine_keys.absent(pool, observed),
    )


def _refused(
    refusal: Refusal,
    pool: ModelPool,
    volume: Volume,
    observed: Observed,
    kept: SharingStatus | None = None,
) -> Plan:
    claims = tuple(volumes.to_be_retained(pool, observed))
    return Plan(
        placement=refusal,
        sharing=kept,
        volume=volume,
        settled=pool if kept is not None else None,
        apply=tuple(sealed(claim) for claim in claims),
        why={ref_of(claim): volumes.OUTLIVES for claim in claims},
        key=engine_keys.lost(pool, observed),
    )
