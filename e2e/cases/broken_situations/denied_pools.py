"""Pools of which the API server does not let something in, or whose names others have."""

from typing import Final

from happenings import runs_beside_the_elder, server_runs
from situation import Object, Situation


def quota(name: str, hard: Object) -> Object:
    """Return a ResourceQuota."""
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": {"hard": hard}}


BOUNDS: Final = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "containers"},
    "spec": {"limits": [{"type": "Container", "max": {"memory": "8Gi"}}]},
}
OTHERS: Final = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "name-in-use-tinyllama"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "theirs"}},
        "template": {
            "metadata": {"labels": {"app": "theirs"}},
            "spec": {"containers": [{"name": "app", "image": "registry.example.com/theirs:1"}]},
        },
    },
}

SITUATIONS: Final = (
    Situation(
        title="Quota on cards",
        model="mistral-nemo:12b",
        reason="QuotaExceeded",
        cause="exceeded quota: cards, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=0",
        advice="shows what is used: remove what else uses it, or have the quota raised",
        laws=(quota("cards", {"requests.nvidia.com/gpu": "0"}),),
    ),
    Situation(
        title="Quota wants resources",
        model="glm4:9b",
        reason="QuotaWantsResources",
        cause="must specify limits.memory for: vllm; requests.memory for: vllm",
        advice="State what the quota names in `vllm.resources`",
        laws=(quota("memory", {"requests.memory": "64Gi", "limits.memory": "64Gi"}),),
    ),
    Situation(
        title="LimitRange on containers",
        model="nemotron:8b",
        reason="LimitRangeExceeded",
        cause="maximum memory usage per Container is 8Gi, but limit is 32Gi",
        advice="keep `vllm.resources` within them",
        spec={"vllm": {"resources": {"limits": {"memory": "32Gi"}}}},
        laws=(BOUNDS,),
    ),
    Situation(
        title="Quota on pulls",
        model="gemma2:9b",
        reason="QuotaExceeded",
        cause="The pull's pod was not let in: exceeded quota: pods, requested: pods=1, used: pods=1, limited: pods=1",
        advice="remove what else uses it, or have the quota raised",
        about={"engine": "ollama"},
        laws=(quota("pods", {"pods": "1"}),),
        happens=server_runs,
    ),
    Situation(
        title="Restricted namespace",
        model="codellama:7b",
        reason="PodSecurityDenied",
        cause='violates PodSecurity "restricted:latest"',
        advice="Let the namespace enforce `baseline`",
        namespace_labels={"pod-security.kubernetes.io/enforce": "restricted"},
    ),
    Situation(
        title="No such service account",
        model="wizardlm2:7b",
        reason="ServiceAccountMissing",
        cause='serviceaccount "robot" not found',
        advice="or correct `serviceAccountName`",
        spec={"serviceAccountName": "robot"},
    ),
    Situation(
        title="No such priority class",
        model="openchat:7b",
        reason="PriorityClassMissing",
        cause="no PriorityClass with name urgent was found",
        advice="name one of them in `priorityClassName`",
        spec={"priorityClassName": "urgent"},
    ),
    Situation(
        title="No such runtime class",
        model="neural-chat:7b",
        reason="RuntimeClassMissing",
        cause='RuntimeClass "nvidia-cdi" not found',
        advice="name one of them in `gpus.runtimeClassName`",
        spec={"gpus": {"memory": "24Gi", "sharing": "visibleDevices", "runtimeClassName": "nvidia-cdi"}},
    ),
    Situation(
        title="Name in use",
        model="tinyllama",
        reason="NameInUse",
        cause="an object of that name is there and is not this pool's",
        advice="nothing of others is taken over",
        laws=(OTHERS,),
    ),
    Situation(
        title="Name conflict",
        model="falcon3:7b",
        reason="NameTaken",
        cause="Served by an older pool: falcon3:7b",
        advice="Give the model another name here",
        elder=True,
        happens=runs_beside_the_elder,
    ),
)
