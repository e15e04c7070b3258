"""Why the API server did not let an object in, by its own sentence: from the sentence to a cause with a name.

Pure. A Deployment's pods, a Job's pods and a pool's children are denied by the same admission, in the same words; they
are those of Kubernetes 1.31 to 1.38. What a person can do about each cause stands in `advice_on_denials`.
"""

import re
from typing import Final

QUOTA: Final = "QuotaExceeded"
QUOTA_UNSTATED: Final = "QuotaWantsResources"
LIMIT_RANGE: Final = "LimitRangeExceeded"
POD_SECURITY: Final = "PodSecurityDenied"
SERVICE_ACCOUNT: Final = "ServiceAccountMissing"
PRIORITY_CLASS: Final = "PriorityClassMissing"
RUNTIME_CLASS: Final = "RuntimeClassMissing"
NAME_IN_USE: Final = "NameInUse"
NAME_OF_A_POOL: Final = "NameOfAnotherPool"
NAMESPACE_ENDS: Final = "NamespaceTerminating"
NO_GROWTH: Final = "VolumeCannotGrow"
WEBHOOK_AWAY: Final = "WebhookAway"
POLICY: Final = "DeniedByPolicy"

_SENTENCES: Final = (
    (QUOTA_UNSTATED, r"failed quota: .*must specify"),
    (QUOTA, r"exceeded quota: "),
    (LIMIT_RANGE, r"(maximum|minimum) \S+ usage per |max limit to request ratio per "),
    (POD_SECURITY, r"violates PodSecurity "),
    (SERVICE_ACCOUNT, r"error looking up service account "),
    (PRIORITY_CLASS, r"no PriorityClass with name "),
    (RUNTIME_CLASS, r"RuntimeClass \S+ not found"),
    (NAME_OF_A_POOL, r"an object of that name is there and is not this pool's, but ModelPool "),
    (NAME_IN_USE, r"an object of that name is there and is not this pool's"),
    (NAMESPACE_ENDS, r"because it is being terminated"),
    (POLICY, r'admission webhook "|ValidatingAdmissionPolicy'),
    (WEBHOOK_AWAY, r"failed calling webhook|no answer in time|\(HTTP 50[04]\)"),
    (NO_GROWTH, r"only dynamically provisioned pvc can be resized"),
)
"""Causes with the words that betray them; the first that is found counts."""

_BY_WORDS: Final = tuple((cause, re.compile(words)) for cause, words in _SENTENCES)
_HEADING: Final = re.compile(r'^(?:Error creating: )?[a-z]+(?:\.[a-z0-9.]+)? "[^"]*" is forbidden: ')
_OURS: Final = re.compile(r"^Could not apply (\S+ \S+): ")
_STATUS: Final = re.compile(r" \(HTTP \d+\)$")


def cause_of(said: str) -> str | None:
    """Return why something was not let in, or None where the sentence is none of those known here."""
    return next((cause for cause, words in _BY_WORDS if words.search(said)), None)


def words_of(said: str) -> str:
    """Return the API server's sentence without the name of what was denied, which differs from try to try."""
    return _STATUS.sub("", _HEADING.sub("", _OURS.sub("", said)))
