"""What a person can do about a volume that keeps an engine from starting: a sentence for each of its reasons."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from modelpool_operator.planning.memory.sources import Claim, parse_source
from modelpool_operator.planning.observation import denials
from modelpool_operator.planning.reporting import volume_states
from modelpool_operator.planning.reporting.advice_subject import AdviceSubject

Advice = Callable[[AdviceSubject], str]

_CLAIM: Final = re.compile(r"PersistentVolumeClaim (\S+)")
_NO_CLASS: Final = re.compile(r"storageclass\S* \"\S+\" not found")
_NO_DEFAULT: Final = re.compile(r"no storage class is set")
_NOBODY: Final = re.compile(r"external provisioner '(?P<provisioner>[^']+)'")


def _claim(who: AdviceSubject) -> str:
    match = _CLAIM.search(who.says)
    return match[1] if match else who.claim


def _is_own(who: AdviceSubject) -> bool:
    return volume_states.is_own(who.pool, _claim(who))


def _named_in(who: AdviceSubject) -> str:
    """Return the field that names a claim which the user brings."""
    claim = _claim(who)
    source = parse_source(who.model.source or "")
    if isinstance(source, Claim) and source.claim == claim:
        return f"`source` of {who.model.name}"
    return f"`{who.volume}.existingClaim`" if claim == who.claim else f"`adapters` of {who.model.name}"


def _denied(who: AdviceSubject) -> str:
    kind = "limitranges" if denials.cause_of(who.says) == denials.LIMIT_RANGE else "resourcequotas"
    bound = "limit" if kind == "limitranges" else "quota"
    return (
        f"Lower `{who.volume}.size`, or have the {bound} raised: `kubectl describe {kind} --namespace {who.namespace}`"
        " shows it"
    )


def _missing(who: AdviceSubject) -> str:
    claim = _claim(who)
    if _is_own(who):
        return "The operator makes it, as soon as the API server takes it"
    return f"Create PersistentVolumeClaim {claim} in namespace {who.namespace}, which {_named_in(who)} names"


def _going(who: AdviceSubject) -> str:
    if not _is_own(who):
        return f"Create it again in namespace {who.namespace} once it is gone: {_named_in(who)} names it"
    pods = f"`kubectl delete pods --namespace {who.namespace} --selector modelpool.dev/pool={who.pool.ref.name}`"
    return f"{pods} ends those that still use it; then another one is made, and what it held is fetched again"


def _lost(who: AdviceSubject) -> str:
    delete = f"`kubectl delete persistentvolumeclaim {_claim(who)} --namespace {who.namespace}`"
    if not _is_own(who):
        return f"{delete}, and create it again: {_named_in(who)} names it"
    return f"{delete}: another one is made as soon as no pod uses it, and what it held is fetched again"


def _pending(who: AdviceSubject) -> str:
    if not _is_own(who):
        return f"See `kubectl describe persistentvolumeclaim {_claim(who)} --namespace {who.namespace}`"
    anew = (
        f"; then `kubectl delete persistentvolumeclaim {_claim(who)} --namespace {who.namespace}`: nothing is on it,"
        " and another one is made as the pool says"
    )
    if _NO_CLASS.search(who.says):
        return f"Name a StorageClass that `kubectl get storageclasses` shows in `{who.volume}.storageClassName`{anew}"
    if _NO_DEFAULT.search(who.says):
        return f"The cluster has no default StorageClass: name one in `{who.volume}.storageClassName`{anew}"
    if match := _NOBODY.search(who.says):
        return (
            f"Check that the provisioner {match['provisioner']} runs; or name another StorageClass in"
            f" `{who.volume}.storageClassName`{anew}"
        )
    return (
        f"Where the provisioner cannot make it so, change `{who.volume}.size` or `{who.volume}.storageClassName`{anew}"
    )


ADVICE: Final[Mapping[str, Advice]] = {
    volume_states.DENIED: _denied,
    volume_states.MISSING: _missing,
    volume_states.GOING: _going,
    volume_states.LOST: _lost,
    volume_states.PENDING: _pending,
}
"""By reason of a model's state."""
