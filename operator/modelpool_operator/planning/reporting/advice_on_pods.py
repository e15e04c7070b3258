"""What a person can do about a pod that its node does not start, or has ended, by the kubelet's reason and words."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from modelpool_operator.planning.observation.pod_states import CONTAINER_REASONS
from modelpool_operator.planning.reporting.advice_subject import AdviceSubject

Advice = Callable[[AdviceSubject], str]


def _evicted(who: AdviceSubject) -> str:
    return (
        "`kubectl describe node` shows under which pressure the node is: free its disk or memory, or state what the"
        f" engine needs in `{who.field}.resources.requests`, so that others are ended first"
    )


def _admission(who: AdviceSubject) -> str:
    return (
        "The kubelet did not take the pod, mostly as the device plugin has no sound card to give: `kubectl describe"
        " node` and the device plugin's log tell; another pod is tried"
    )


def _attach(who: AdviceSubject) -> str:
    return (
        "The volume is still attached to another node: end the pods that use it there, or, where that node is lost,"
        " delete it (`kubectl delete node`); then it is attached here within some minutes"
    )


def _on_the_node(who: AdviceSubject) -> str:
    pods = f"`kubectl describe pods --namespace {who.namespace} --selector modelpool.dev/pool={who.pool.ref.name}`"
    return f"Mend what it names; it is tried again. {pods} tells more"


def _container(who: AdviceSubject) -> str:
    """Return what to do about a container that is not even made."""
    if match := _NO_KEY.search(who.says):
        where = f"{match['kind']} {match['name']} in namespace {who.namespace}"
        return f"Put key {match['key']} into {where}, or name another key"
    if match := _NO_OBJECT.search(who.says):
        kind = {"secret": "Secret", "configmap": "ConfigMap"}[match["kind"]]
        return f"Create {kind} {match['name']} in namespace {who.namespace}: {_naming(who, match['name'])} names it"
    if _NO_PROGRAM.search(who.says):
        image = who.image
        return f"`{who.field}.image` '{image}' has no such program: is it an image of {who.profile.title}?"
    if match := _NO_HANDLER.search(who.says):
        return (
            f"Install NVIDIA's container toolkit on the node (`nvidia-ctk runtime configure`), which gives its runtime"
            f" '{match['handler']}', or name another `gpus.runtimeClassName`"
        )
    if _ROOT.search(who.says):
        return (
            f"Somebody demands users other than root: let namespace {who.namespace} admit pods as they are, or build"
            f" `{who.field}.image` so that it runs as another user"
        )
    return _on_the_node(who)


def _naming(who: AdviceSubject, name: str) -> str:
    secret = who.pool.spec.hugging_face.token_secret_ref
    return "`huggingFace.tokenSecretRef`" if secret is not None and secret.name == name else f"`{who.field}.env`"


_NO_KEY: Final = re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) (?:\S+/)?(?P<name>\S+)")
_NO_OBJECT: Final = re.compile(r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found')
_NO_PROGRAM: Final = re.compile(r"executable file not found|exec: .*: no such file or directory")
_NO_HANDLER: Final = re.compile(r'no runtime for "(?P<handler>[^"]+)" is configured')
_ROOT: Final = re.compile(r"runAsNonRoot")

ADVICE: Final[Mapping[str, Advice]] = {
    **dict.fromkeys(CONTAINER_REASONS, _container),
    "Evicted": _evicted,
    "UnexpectedAdmissionError": _admission,
    "FailedAttachVolume": _attach,
    **dict.fromkeys(("FailedMount", "FailedCreatePodSandBox", "FailedPrepareDynamicResources"), _container),
}
"""By reason of a model's state."""
