"""What a person can do about what the API server did not let in: a sentence for each cause of `denials`."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from modelpool_operator.planning.observation import denials
from modelpool_operator.planning.reporting.advice_subject import AdviceSubject

Advice = Callable[[AdviceSubject], str]

_LESS: Final = re.compile(r"requested: [^:]*\b(cpu|memory|ephemeral-storage)=")
"""Resources of which a container may ask for less."""


def _quota(who: AdviceSubject) -> str:
    less = f"ask for less in `{who.resources}`, " if _LESS.search(who.says) else ""
    return (
        f"`kubectl describe resourcequotas --namespace {who.namespace}` shows what is used: {less}remove what else uses"
        " it, or have the quota raised"
    )


def _unstated(who: AdviceSubject) -> str:
    return f"State what the quota names in `{who.resources}`, as `requests` and `limits`"


def _limits(who: AdviceSubject) -> str:
    return (
        f"`kubectl describe limitranges --namespace {who.namespace}` shows the bounds: keep"
        f" `{who.resources}` within them, or have them changed"
    )


def _security(who: AdviceSubject) -> str:
    return (
        f"Let the namespace enforce `baseline`: `kubectl label namespace {who.namespace}"
        " pod-security.kubernetes.io/enforce=baseline --overwrite`"
    )


def _account(who: AdviceSubject) -> str:
    return f"Create the ServiceAccount in namespace {who.namespace}, or correct `serviceAccountName`"


def _priority(who: AdviceSubject) -> str:
    return "`kubectl get priorityclasses` shows which there are: name one of them in `priorityClassName`"


def _runtime(who: AdviceSubject) -> str:
    return (
        "`kubectl get runtimeclasses` shows which there are: name one of them in `gpus.runtimeClassName`;"
        " NVIDIA's GPU operator makes 'nvidia'"
    )


def _in_use(who: AdviceSubject) -> str:
    return "Delete the object that has the name, or give the pool another name: nothing of others is taken over"


def _in_anothers_use(who: AdviceSubject) -> str:
    return (
        "A pool's name and its model's make that of what runs it, and two pools' make the same here: give this pool,"
        " or its model, another name"
    )


def _ends(who: AdviceSubject) -> str:
    return f"Namespace {who.namespace} is being deleted, and the pool with it: create the pool in another one"


def _growth(who: AdviceSubject) -> str:
    return (
        f"The StorageClass has no `allowVolumeExpansion`: set `{who.volume}.size` back, or make a larger volume with"
        " another pool"
    )


def _webhook(who: AdviceSubject) -> str:
    return (
        "An admission webhook is down or hangs: `kubectl get validatingwebhookconfigurations`, or the same of"
        " `mutatingwebhookconfigurations`, shows whose it is. The rest of the pool goes on, and this is tried again"
        " within a minute"
    )


def _policy(who: AdviceSubject) -> str:
    return (
        "A policy of the cluster forbids it: change what it objects to in the ModelPool, or have the policy let it"
        " pass. The rest of the pool goes on, and this is tried again within a minute"
    )


ADVICE: Final[Mapping[str, Advice]] = {
    denials.QUOTA: _quota,
    denials.QUOTA_UNSTATED: _unstated,
    denials.LIMIT_RANGE: _limits,
    denials.POD_SECURITY: _security,
    denials.SERVICE_ACCOUNT: _account,
    denials.PRIORITY_CLASS: _priority,
    denials.RUNTIME_CLASS: _runtime,
    denials.NAME_IN_USE: _in_use,
    denials.NAME_OF_A_POOL: _in_anothers_use,
    denials.NAMESPACE_ENDS: _ends,
    denials.NO_GROWTH: _growth,
    denials.WEBHOOK_AWAY: _webhook,
    denials.POLICY: _policy,
}
"""By cause."""
