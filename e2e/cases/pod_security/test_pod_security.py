"""Pod Security Standards, with the API server as the judge.

Operator and gateway live in a namespace that enforces `restricted`. The pods of engines break of it what
docs/concepts/security.md says, and nothing else; `baseline` they keep, in every way of sharing a card.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from modelpool_cluster.cluster import Cluster
from modelpool_cluster.rest import ApiError
from modelpool_operator.api.parsing import from_body
from modelpool_operator.planning.manifests import jobs
from modelpool_operator.planning.manifests.children import children_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.pool_placement import place_pool
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_under_test.node.release import NAMESPACE, Release
from modelpool_under_test.processes.installation import EXAMPLES, ROOT

POOLS: Final = (EXAMPLES / "simulated.yaml", *sorted((Path(__file__).parents[1] / "sharing_modes" / "pools").glob("*")))
ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_UID: Final = "00000000-0000-4000-8000-000000000000"
_ROW: Final = re.compile(r"^\| `(?P<pod>\w+)` \| (?P<breaks>.+) \| .+ \|$", re.MULTILINE)

Object = dict[str, Any]


@pytest.fixture
def namespaces(cluster: Cluster) -> Iterator[Mapping[str, str]]:
    """A namespace for each standard, which holds from the first: the API server may learn of a new label too late."""
    names = {standard: f"standard-{standard}" for standard in ("baseline", "restricted")}
    for standard, name in names.items():
        cluster.add_namespace(name, {ENFORCE: standard})
    yield names
    for name in names.values():
        cluster.remove_namespace(name)


def test_engines_break_of_restricted_what_the_docs_say_and_keep_baseline(
    cluster: Cluster, namespaces: Mapping[str, str]
) -> None:
    text = (ROOT / "docs" / "concepts" / "security.md").read_text()
    said = {row["pod"]: set(re.findall(r"`([^`]+)`", row["breaks"])) for row in _ROW.finditer(text)}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for component, pod in _pods():
        found[component] |= _breaks(cluster, namespaces, "restricted", pod)
        assert _breaks(cluster, namespaces, "baseline", pod) == set(), pod["metadata"]
    assert found.keys() >= {"vllm", "ollama", "pull"}
    assert {component: breaks for component, breaks in found.items() if breaks} == said


def test_operator_and_gateway_run_where_only_restricted_pods_may(release: Release) -> None:
    cluster = release.cluster
    labels = cluster.api.get(f"/api/v1/namespaces/{NAMESPACE}")["metadata"]["labels"]
    assert labels.get(ENFORCE) == "restricted"
    pods = cluster.pods(NAMESPACE)
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods}
    assert components == {"operator", "gateway"}
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    for pod in pods:
        assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    root = {"containers": [{"name": "root", "image": pods[0]["spec"]["containers"][0]["image"]}]}
    with pytest.raises(ApiError, match="violates PodSecurity"):
        cluster.api.create(
            f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", {"metadata": {"name": "root"}, "spec": root}
        )


def _pods() -> Iterator[tuple[str, Object]]:
    """Yield the component and a pod of each Deployment and Job that the operator would make of the pools."""
    for path in POOLS:
        body = yaml.safe_load(path.read_text())
        body["metadata"] |= {"namespace": "llm", "uid": _UID}
        pool = from_body(body)
        placement = place_pool(pool, Observed())
        assert isinstance(placement, Placement), placement
        children = [one for one in children_of(pool, placement, None) if one["kind"] == "Deployment"]
        for child in (*children, jobs.pull_job(pool, "some:1b", _UID)):
            template = child["spec"]["template"]
            yield template["metadata"]["labels"]["app.kubernetes.io/name"], _pod(template)


def _pod(template: Mapping[str, Any]) -> Object:
    """Return a template as a pod; what other admission would look for, and the standards do not, is left out."""
    spec = {
        key: value for key, value in template["spec"].items() if key not in ("runtimeClassName", "priorityClassName")
    }
    return {"metadata": {**template["metadata"], "generateName": "dry-"}, "spec": spec}


def _breaks(cluster: Cluster, namespaces: Mapping[str, str], standard: str, pod: Object) -> set[str]:
    """Return what a pod breaks of a standard, in the API server's words."""
    try:
        cluster.api.create(f"/api/v1/namespaces/{namespaces[standard]}/pods?dryRun=All", pod)
    except ApiError as exc:
        found = re.search(rf'violates PodSecurity "{standard}:\w+": (.*)', str(exc))
        assert found is not None, exc
        return set(re.findall(r"(?:^|, )([^,(]+?) \(", found[1]))
    return set()
