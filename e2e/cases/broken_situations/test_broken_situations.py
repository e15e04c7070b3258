"""In each broken situation, `kubectl get mp` and `kubectl describe mp` tell a newcomer what is wrong, and what to do.

`MODELPOOL_WRITE_GOLDEN=1` writes docs/how-to/troubleshoot.md anew.
"""

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from remedies import REMEDIES
from situation import Situation
from situations import SITUATIONS
from troubleshooting import PAGE, Printed, condition, page, words_of

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster
from modelpool_under_test.processes.installation import Installation, installed, rendered
from modelpool_under_test.processes.operator_program import Operator
from modelpool_under_test.processes.pools import Object, Pool

pytestmark = pytest.mark.cluster

PATHS = {
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
    "LimitRange": "/api/v1/namespaces/{}/limitranges",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
}


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[str]:
    """The namespace of the operator, and of all situations that stand in nobody else's way."""
    name = f"broken-situations-{secrets.token_hex(3)}"
    cluster.add_namespace(name)
    yield name
    cluster.remove_namespace(name)


@pytest.fixture(scope="module")
def places(cluster: Cluster, place: str) -> Iterator[dict[str, str]]:
    """The namespace of each situation, with what stands in its way; by title."""
    found = {one.title: f"{place}-apart-{one.name}" if one.is_apart else place for one in SITUATIONS}
    for one in SITUATIONS:
        if one.is_apart:
            cluster.add_namespace(found[one.title], one.namespace_labels)
        for law in one.laws:
            cluster.api.create(PATHS[law["kind"]].format(found[one.title]), law)
    for one in SITUATIONS:
        for law in one.laws:
            _wait_until_it_counts(cluster, law, found[one.title])
    yield found
    for one in SITUATIONS:
        for law in one.laws:
            if "{}" not in PATHS[law["kind"]]:
                cluster.api.delete(f"{PATHS[law['kind']]}/{law['metadata']['name']}")
        if one.is_apart:
            cluster.remove_namespace(found[one.title])


def _wait_until_it_counts(cluster: Cluster, law: Object, namespace: str) -> None:
    """Wait until a quota is counted: before, the API server lets everything in."""
    if law["kind"] == "ResourceQuota":
        path = f"{PATHS[law['kind']].format(namespace)}/{law['metadata']['name']}"
        waiting.wait_for("the quota", lambda: (cluster.api.get(path).get("status") or {}).get("hard"))


@pytest.fixture(scope="module")
def nodes(cluster: Cluster, place: str) -> Iterator[dict[str, str]]:
    """A node for each situation, on which pods are held."""
    found = {one.title: cluster.add_gpu_node(f"{place}-{one.name}", replicas=4, held=True) for one in SITUATIONS}
    yield found
    for name in found.values():
        cluster.remove_node(name)


@pytest.fixture(scope="module")
def pools(
    cluster: Cluster,
    helm: Path,
    nodes: dict[str, str],
    places: dict[str, str],
    place: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Operator, dict[str, Pool]]]:
    """Every pool, in its trouble."""
    chart = rendered(helm, tmp_path_factory.mktemp("helm"), everywhere=True)
    with installed(cluster, chart, place, tmp_path_factory.mktemp("logs"), everywhere=True) as installation:
        yield from _broken(installation, nodes, places)


def _broken(
    installation: Installation, nodes: dict[str, str], places: dict[str, str]
) -> Iterator[tuple[Operator, dict[str, Pool]]]:
    cluster = installation.cluster
    with installation.operator() as operator:
        for one in SITUATIONS:
            if one.elder:
                Pool.create(cluster, places[one.title], one.manifest(nodes[one.title], "elder"))
        found = {}
        for one in SITUATIONS:
            found[one.title] = Pool.create(cluster, places[one.title], one.manifest(nodes[one.title]))
        for one in SITUATIONS:
            one.happens(one, found[one.title])
        yield operator, found


@pytest.fixture(scope="module")
def read() -> dict[str, Printed]:
    """What was printed of the situations that were looked at, by title."""
    return {}


def told(cluster: Cluster, pool: Pool, situation: Situation) -> Printed:
    """Wait until the pool's status says what its user must read, and return what kubectl prints of it."""

    def look() -> bool:
        said = json.dumps(pool.conditions().get("Ready", {}), ensure_ascii=False).replace('\\"', '"')
        for words in words_of(situation):
            assert words in said, f"{words!r} is not in:\n{said}"
        return True

    waiting.wait_for(f"the words about {situation.title}", look, timeout=90, every=0.5)
    flags = f"--namespace={pool.namespace}"
    printed = Printed(
        row=cluster.kubectl("get", "mp", pool.name, flags),
        described=cluster.kubectl("describe", "mp", pool.name, flags),
    )
    said = condition(printed.described)
    for words in words_of(situation):
        assert words in said, f"{words!r} is not in:\n{said}"
    assert situation.reason in printed.row.splitlines()[-1].split(), printed.row
    return printed


def test_no_two_situations_are_about_one_model() -> None:
    names = [name for one in SITUATIONS for name in (one.model, *one.beside)]
    assert len(set(names)) == len(names)
    assert len({one.name for one in SITUATIONS}) == len(SITUATIONS) >= 32


@pytest.mark.timeout(300)
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.name)
def test_a_newcomer_reads_who_why_and_what_to_do(
    cluster: Cluster, pools: tuple[Operator, dict[str, Pool]], read: dict[str, Printed], situation: Situation
) -> None:
    operator, found = pools
    operator.program.assert_alive()
    read[situation.title] = told(cluster, found[situation.title], situation)
    print(condition(read[situation.title].described))


@pytest.mark.timeout(300)
def test_the_page_for_those_in_trouble_shows_what_kubectl_prints(
    cluster: Cluster, pools: tuple[Operator, dict[str, Pool]], read: dict[str, Printed]
) -> None:
    _, found = pools
    wanted = page({one.title: read.get(one.title) or told(cluster, found[one.title], one) for one in SITUATIONS})
    if os.environ.get("MODELPOOL_WRITE_GOLDEN"):
        Path(PAGE).write_text(wanted, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == wanted


@pytest.mark.timeout(300)
@pytest.mark.parametrize("title", REMEDIES)
def test_who_follows_the_advice_gets_a_pod_on_a_node(
    cluster: Cluster, pools: tuple[Operator, dict[str, Pool]], title: str
) -> None:
    _, found = pools
    (situation,) = (one for one in SITUATIONS if one.title == title)
    pool = found[title]
    REMEDIES[title](pool)

    def mended() -> bool:
        pods = pool.pods("vllm", situation.model)
        assert [bool(pod["spec"].get("nodeName")) for pod in pods] == [True], [pod["status"] for pod in pods]
        said = pool.model(situation.model)
        assert said["reason"] != situation.reason, said
        claim = cluster.api.get(f"/api/v1/namespaces/{pool.namespace}/persistentvolumeclaims/{pool.name}-cache")
        assert claim["status"]["phase"] == "Bound", claim
        return True

    waiting.wait_for(f"the end of {situation.reason}", mended, timeout=90)
