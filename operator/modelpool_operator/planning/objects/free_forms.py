"""Parts of a spec that are Kubernetes' own, which the API server reads only once they are in a pod. Pure.

What of them the plan itself looks into has to be there, and of the right kind.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from modelpool_operator.api.pool import PoolSpec

REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_AFFINITIES: Final = ("nodeAffinity", "podAffinity", "podAntiAffinity")


def objections(spec: PoolSpec) -> Iterator[str]:
    """Yield what is wrong with them, field by field, in words for the user."""
    yield from _of_resources("ollama.pullResources", spec.ollama.pull_resources)
    for server, env, resources in (
        ("vllm", spec.vllm.env, spec.vllm.resources),
        ("ollama", spec.ollama.env, spec.ollama.resources),
    ):
        for place, variable in enumerate(env):
            name = variable.get("name")
            if not isinstance(name, str) or not name:
                yield f"`{server}.env[{place}].name` must be a text that is not empty, got {_shown(name)}"
        yield from _of_resources(f"{server}.resources", resources)
    yield from _of_affinity(spec.affinity or {})


def _of_resources(where: str, resources: Mapping[str, Any]) -> Iterator[str]:
    for part in ("limits", "requests"):
        amounts = resources.get(part)
        if amounts is None:
            continue
        if not isinstance(amounts, Mapping):
            yield f"`{where}.{part}` must be amounts by resource, such as `memory: 8Gi`, got {_shown(amounts)}"
            continue
        for name, amount in amounts.items():
            if not isinstance(amount, str | int | float) or isinstance(amount, bool):
                yield f"`{where}.{part}.{name}` must be an amount such as 8Gi, got {_shown(amount)}"
    claims = resources.get("claims")
    if claims is not None and not _are_objects(claims):
        yield f"`{where}.claims` must be a list of claims, each `{{name: …}}`, got {_shown(claims)}"


def _of_affinity(affinity: Mapping[str, Any]) -> Iterator[str]:
    for kind in _AFFINITIES:
        found = affinity.get(kind)
        if found is not None and not isinstance(found, Mapping):
            yield f"`affinity.{kind}` must be an object as a Pod has it, got {_shown(found)}"
        elif found and kind != "nodeAffinity" and not _are_objects(found.get(REQUIRED) or []):
            yield f"`affinity.{kind}.{REQUIRED}` must be a list of terms, got {_shown(found[REQUIRED])}"
        elif found and kind == "nodeAffinity" and not isinstance(found.get(REQUIRED) or {}, Mapping):
            yield f"`affinity.{kind}.{REQUIRED}` must be a node selector, got {_shown(found[REQUIRED])}"


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


def _shown(value: Any) -> str:
    text = f"'{value}'"
    return "nothing" if value is None else text if len(text) <= 60 else f"{text[:59]}…'"
