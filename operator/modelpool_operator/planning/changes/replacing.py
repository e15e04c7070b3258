"""Which Deployments have to go, with their pods, before what the pool wants can take their place. Pure.

A Deployment's selector cannot change, and two Deployments must not run one model side by side: the second one would
find the card full. Both come about where an older operator, or an older spec, gave names in another way.
"""

from collections.abc import Mapping

from modelpool_operator.planning.objects.identity import ChildRef, Manifest, model_of
from modelpool_operator.planning.observation.observed import Observed


def predecessors(wanted: Mapping[ChildRef, Manifest], observed: Observed) -> Mapping[ChildRef, ChildRef]:
    """Return the Deployments that wait, each with the live one that has to go first; it may be the one of its name."""
    deployments = {ref: live for ref, live in observed.children.items() if ref.kind == "Deployment"}
    others = {model: ref for ref, live in deployments.items() if ref not in wanted and (model := model_of(live))}
    found: dict[ChildRef, ChildRef] = {}
    for ref, child in wanted.items():
        live, model = deployments.get(ref), model_of(child)
        if live is not None and child["kind"] == "Deployment" and _selector(live) != _selector(child):
            found[ref] = ref
        elif live is None and model in others:
            found[ref] = others[model]
    return found


def _selector(deployment: Manifest) -> object:
    return (deployment["spec"].get("selector") or {}).get("matchLabels")
