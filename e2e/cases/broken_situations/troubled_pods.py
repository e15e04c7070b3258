"""Pods that do not start: for want of an image, of a node, or of what their node has to do for them."""

from typing import Final

from happenings import event_says, kubelet_says, node_falls_silent, runtime_says
from situation import Situation

ABSENT: Final = "localhost:1/modelpool/absent:1"

SITUATIONS: Final = (
    Situation(
        title="Image pull",
        model="gemma3:4b",
        reason="ImagePullBackOff",
        cause="failed to resolve reference",
        advice=f"Check that `vllm.image` '{ABSENT}' exists",
        spec={"vllm": {"image": ABSENT}},
        happens=kubelet_says("ImagePullBackOff"),
    ),
    Situation(
        title="Image of a private registry",
        model="zephyr:7b",
        reason="ImagePullBackOff",
        cause="pull access denied, repository does not exist or may require authorization",
        advice="Check that Secret registry is in namespace",
        spec={"vllm": {"image": "docker.io/example/vllm:1"}, "imagePullSecrets": [{"name": "registry"}]},
        happens=runtime_says("denied"),
    ),
    Situation(
        title="Image pulls limited",
        model="dolphin3:8b",
        reason="ImagePullBackOff",
        cause="You have reached your unauthenticated pull rate limit",
        advice="The registry lets an address pull only so often: name an account in `imagePullSecrets`",
        happens=runtime_says("limited"),
    ),
    Situation(
        title="Image for another platform",
        model="nemotron-mini:4b",
        reason="ImagePullBackOff",
        cause="no match for platform in manifest",
        advice="nodes for which it is built (`nodeSelector` with kubernetes.io/arch)",
        spec={"vllm": {"image": "registry.example.com/vllm:amd64"}},
        happens=runtime_says("platform"),
    ),
    Situation(
        title="Secret missing",
        model="llama3.2:3b",
        reason="CreateContainerConfigError",
        cause='secret "hugging-face" not found',
        advice="`huggingFace.tokenSecretRef` names it",
        spec={"huggingFace": {"tokenSecretRef": {"name": "hugging-face"}}},
        happens=runtime_says("secret"),
    ),
    Situation(
        title="Driver too old",
        model="solar:10.7b",
        reason="DriverTooOld",
        cause="unsatisfied condition: cuda>=12.9",
        advice="Update the NVIDIA driver of the node, or take an image that is built with an older CUDA (`vllm.image`)",
        happens=runtime_says("driver"),
    ),
    Situation(
        title="No NVIDIA runtime",
        model="stablelm2:1.6b",
        reason="FailedCreatePodSandBox",
        cause='no runtime for "nvidia" is configured',
        advice="Install NVIDIA's container toolkit on the node",
        spec={"gpus": {"memory": "24Gi", "sharing": "visibleDevices"}},
        happens=event_says("handler"),
    ),
    Situation(
        title="Volume attached elsewhere",
        model="orca-mini:7b",
        reason="FailedAttachVolume",
        cause="Volume is already exclusively attached to one node",
        advice="end the pods that use it there",
        happens=event_says("attached"),
    ),
    Situation(
        title="Unschedulable",
        model="qwen3:8b",
        reason="Unschedulable",
        cause="didn't match Pod's node affinity/selector",
        advice="No node has disk=fast of `nodeSelector`",
        spec={"nodeSelector": {"disk": "fast"}},
    ),
    Situation(
        title="No GPU resource",
        model="llama3.1:8b",
        reason="NoGpuLeft",
        cause="Insufficient nvidia.com/gpu.shared",
        advice="offers no nvidia.com/gpu.shared. Name what the node offers in `gpus.resourceName` (nvidia.com/gpu)",
        spec={"gpus": {"memory": "24Gi", "resourceName": "nvidia.com/gpu.shared"}},
    ),
    Situation(
        title="No DRA driver",
        model="vicuna:7b",
        reason="Unschedulable",
        cause="device class gpu.nvidia.com does not exist",
        advice="Install NVIDIA's DRA driver, which brings the DeviceClass gpu.nvidia.com",
        spec={"gpus": {"memory": "24Gi", "sharing": "dra"}},
    ),
    Situation(
        title="Node lost",
        model="yi:9b",
        reason="NodeLost",
        cause="does not report any more",
        advice="Bring the node back, or delete it",
        happens=node_falls_silent,
    ),
)
