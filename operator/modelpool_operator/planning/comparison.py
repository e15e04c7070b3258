"""Whether a live object still says what was applied. Pure, so that a second reconciliation writes nothing.

The seal tells that the same manifest was applied; every field of it must also still be so, as an edit by hand does not
touch the seal. The API server adds fields and writes quantities in its own way; neither is a difference. Items that
others added to a list that is merged are not ours to remove, and server-side apply would not remove them.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from modelpool_operator.api import names
from modelpool_operator.planning.manifests import Manifest, digest

ATOMIC_LISTS: Final = frozenset(
    {
        "matchExpressions",
        "nodeSelectorTerms",
        "preferredDuringSchedulingIgnoredDuringExecution",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "tolerations",
    }
)
"""Lists of objects that server-side apply replaces whole, so that an item too many is a difference."""

EXACT_FIELDS: Final = frozenset({"ingress", "podSelector"})
"""Of a NetworkPolicy: whatever is added lets somebody in, or takes a pod out. Server-side apply replaces them whole."""

QUANTITY_FIELDS: Final = frozenset({"limits", "requests", "sizeLimit"})

_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")
_FACTORS: Final = {
    "": Decimal(1),
    "n": Decimal(10) ** -9,
    "u": Decimal(10) ** -6,
    "m": Decimal(10) ** -3,
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


def is_in_place(wanted: Manifest, live: Manifest) -> bool:
    """Return whether `live` is what `wanted`, not yet sealed, would make of it."""
    annotations = live["metadata"].get("annotations") or {}
    return annotations.get(names.APPLIED_ANNOTATION) == digest(wanted) and holds(wanted, live)


def difference(wanted: Any, live: Any, path: str = "", *, quantity: bool = False) -> str | None:
    """Return the first field of `wanted` that `live` does not have in the same way, or None."""
    if isinstance(wanted, Mapping):
        return _difference_of_objects(wanted, live, path, quantity=quantity)
    if isinstance(wanted, list):
        return _difference_of_lists(wanted, live, path)
    if live is None and wanted in (None, "", 0, False):
        return None
    same = _amount(wanted) == _amount(live) if quantity else wanted == live
    return None if same else path or "/"


def holds(wanted: Any, live: Any) -> bool:
    """Return whether every field of `wanted` is so in `live`."""
    return difference(wanted, live) is None


def _difference_of_objects(wanted: Mapping[str, Any], live: Any, path: str, *, quantity: bool) -> str | None:
    if live is None:
        live = {}
    if not isinstance(live, Mapping):
        return path
    for key, value in wanted.items():
        if key in EXACT_FIELDS and value != live.get(key):
            return f"{path}/{key}"
        found = difference(value, live.get(key), f"{path}/{key}", quantity=quantity or key in QUANTITY_FIELDS)
        if found is not None:
            return found
    return None


def _difference_of_lists(wanted: list[Any], live: Any, path: str) -> str | None:
    live = [] if live is None else live
    if not isinstance(live, list):
        return path
    merged = all(isinstance(item, Mapping) for item in wanted) and path.rpartition("/")[2] not in ATOMIC_LISTS
    if not merged and len(wanted) != len(live):
        return path
    for place, item in enumerate(wanted):
        candidates = live if merged else [live[place]]
        if not any(holds(item, candidate) for candidate in candidates):
            label = item.get("name", place) if isinstance(item, Mapping) else place
            return f"{path}/{label}"
    return None


def _amount(value: Any) -> Any:
    """Return a quantity as a number, anything else as it is."""
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return value
    number, suffix = match[1], match[2] or ""
    if suffix in _FACTORS:
        return Decimal(number) * _FACTORS[suffix]
    return Decimal(f"{number}{suffix}")
