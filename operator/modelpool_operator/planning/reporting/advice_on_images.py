"""What a person can do about an image that a node cannot have, by the words of the container runtime.

The sentences are containerd's and CRI-O's, and what registries say in them.
"""

import re
from collections.abc import Callable
from typing import Final

from modelpool_operator.planning.reporting.advice_subject import AdviceSubject

Advice = Callable[[AdviceSubject], str]


def on_image(who: AdviceSubject) -> str:
    """Return what to do about the image of an engine."""
    return next((advice(who) for words, advice in _BY_WORDS if re.search(words, who.says)), _absent(who))


def _absent(who: AdviceSubject) -> str:
    return f"Check that {_image(who)} exists, and that `imagePullSecrets` lets nodes pull it"


def _denied(who: AdviceSubject) -> str:
    secrets = [secret["name"] for secret in who.pool.spec.image_pull_secrets if secret.get("name")]
    if not secrets:
        return (
            "The registry asks for an account, or has no such image: name a Secret of type"
            f" kubernetes.io/dockerconfigjson in `imagePullSecrets`, and check that {_image(who)} exists"
        )
    return (
        f"Check that Secret {', '.join(secrets)} is in namespace {who.namespace}, is of type"
        f" kubernetes.io/dockerconfigjson and holds an account that may pull {_image(who)}: the kubelet passes over a"
        " Secret that is not there"
    )


def _limited(who: AdviceSubject) -> str:
    return (
        "The registry lets an address pull only so often: name an account in `imagePullSecrets`, take the image from a"
        f" mirror (`{who.field}.image`), or wait; it is tried again"
    )


def _platform(who: AdviceSubject) -> str:
    return (
        f"Choose an image that is built for the processor of the pool's nodes (`{who.field}.image`), or nodes for which"
        " it is built (`nodeSelector` with kubernetes.io/arch)"
    )


def _disk(who: AdviceSubject) -> str:
    return (
        "The disk of the node is full: remove images that nobody uses (`crictl rmi --prune`), or give it a larger disk"
    )


def _trust(who: AdviceSubject) -> str:
    return "The nodes do not trust the registry's certificate: add its authority to their container runtime"


def _image(who: AdviceSubject) -> str:
    return f"`{who.field}.image` '{who.image}'"


PLATFORM_ADVICE: Final = _platform

_BY_WORDS: Final[tuple[tuple[str, Advice], ...]] = (
    (r"\b429\b|toomanyrequests|[Rr]ate limit", _limited),
    (r"no match for platform|no matching manifest|no image found in (manifest list|image index)", _platform),
    (
        (
            r"\b40[13]\b|[Uu]nauthorized|UNAUTHORIZED|insufficient_scope|authorization failed|failed to authorize|"
            r"access denied|denied:"
        ),
        _denied,
    ),
    (r"[Nn]o space left on device", _disk),
    (r"x509:|certificate signed by unknown authority", _trust),
)
"""The first that fits."""
