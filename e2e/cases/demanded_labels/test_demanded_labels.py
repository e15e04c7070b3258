"""A cluster that demands a label on every pod: a pool without it says so; one that has it runs, its pulls included."""

from collections.abc import Iterator

import pytest

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.plugin import GpuNodes
from modelpool_cluster.rest import ApiError
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool, small

pytestmark = pytest.mark.cluster

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
SAYS = "every pod must have the label cost-center and the annotation example.com/owner"
LABELS, ANNOTATIONS = {"cost-center": "research"}, {"example.com/owner": "team"}


def policy(name: str) -> Object:
    wanted = (
        "has(object.metadata.labels) && 'cost-center' in object.metadata.labels && "
        "has(object.metadata.annotations) && 'example.com/owner' in object.metadata.annotations"
    )
    return {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                ]
            },
            "validations": [{"expression": wanted, "message": SAYS}],
        },
    }


def binding(name: str, namespace: str) -> Object:
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    return {
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": here},
    }


@pytest.fixture
def demanding(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A namespace in which the API server takes no pod without the label and the annotation."""
    name = f"{namespace}-labels"
    cluster.api.create(POLICIES, policy(name))
    cluster.api.create(BINDINGS, binding(name, namespace))
    pods = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
    bare = {"metadata": {"name": "bare"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}

    def denies() -> bool:
        try:
            cluster.api.create(pods, bare)
        except ApiError as error:
            assert SAYS in str(error), error
            return True
        return False

    waiting.wait_for("the policy to hold", denies)
    try:
        yield namespace
    finally:
        cluster.api.delete(f"{BINDINGS}/{name}")
        cluster.api.delete(f"{POLICIES}/{name}")


def test_a_pool_says_which_label_is_demanded_and_runs_once_it_has_it(
    cluster: Cluster, gpu_node: GpuNodes, namespace: str, operator: Operator, demanding: str
) -> None:
    gpu_node(replicas=4)
    body = small(models=1, ollama={"enabled": True})
    body["spec"]["models"].append({"name": "cogito:8b", "engine": "ollama"})
    pool = Pool.create(cluster, namespace, body)

    def told() -> bool:
        assert SAYS in str(pool.status()), pool.status()
        return True

    waiting.wait_for("the status to say what is demanded", told)
    assert cluster.pods(namespace) == []

    def labelled(spec: Object) -> None:
        spec |= {"podLabels": LABELS, "podAnnotations": ANNOTATIONS}

    pool.edit(labelled)
    pool.wait_ready("2/2")
    components = {
        pod["metadata"]["labels"]["app.kubernetes.io/name"]: pod["metadata"] for pod in cluster.pods(namespace)
    }
    assert components.keys() == {"vllm", "ollama", "pull"}
    for metadata in components.values():
        assert LABELS.items() <= metadata["labels"].items()
        assert ANNOTATIONS.items() <= metadata["annotations"].items()
