"""In each of twelve broken situations, `kubectl get mp` and `kubectl describe mp` tell a newcomer what is wrong.

`MODELPOOL_WRITE_GOLDEN=1` writes docs/how-to/troubleshoot.md anew.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples_pool import Pool
from installation import Installation, Operator, installed
from situations import SITUATIONS, Situation
from troubleshooting import PAGE, Printed, condition, page, words_of

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[str]:
    """A namespace that serves all situations."""
    name = f"broken-situations-{secrets.token_hex(3)}"
    cluster.add_namespace(name)
    yield name
    cluster.remove_namespace(name)


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
    rendered_chart: str,
    nodes: dict[str, str],
    place: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Operator, dict[str, Pool]]]:
    """Every pool, in its trouble."""
    with installed(cluster, rendered_chart, place, tmp_path_factory.mktemp("logs")) as installation:
        yield from _broken(installation, nodes)


def _broken(installation: Installation, nodes: dict[str, str]) -> Iterator[tuple[Operator, dict[str, Pool]]]:
    cluster, place = installation.cluster, installation.namespace
    with installation.operator() as operator:
        for one in SITUATIONS:
            if one.elder:
                Pool.create(cluster, place, one.manifest(nodes[one.title], "elder"))
        found = {}
        for one in SITUATIONS:
            found[one.title] = Pool.create(cluster, place, one.manifest(nodes[one.title]))
        for one in SITUATIONS:
            one.happens(one, found[one.title])
        yield operator, found


def read(cluster: Cluster, pool: Pool) -> Printed:
    """Return what a newcomer reads."""
    flags = f"--namespace={pool.namespace}"
    return Printed(
        row=cluster.kubectl("get", "mp", pool.name, flags),
        described=cluster.kubectl("describe", "mp", pool.name, flags),
    )


def told(cluster: Cluster, pool: Pool, situation: Situation) -> Printed:
    """Wait until kubectl says of a pool what its user must read."""

    def look() -> Printed:
        printed = read(cluster, pool)
        said = condition(printed.described) if "Type:" in printed.described else printed.described
        for words in words_of(situation):
            assert words in said, f"{words!r} is not in:\n{said}"
        assert situation.reason in printed.row.splitlines()[-1].split(), printed.row
        return printed

    return waiting.wait_for(f"the words about {situation.title}", look, timeout=60, every=0.5)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.name)
def test_a_newcomer_reads_who_why_and_what_to_do(
    cluster: Cluster, pools: tuple[Operator, dict[str, Pool]], situation: Situation
) -> None:
    operator, found = pools
    operator.program.assert_alive()
    print(condition(told(cluster, found[situation.title], situation).described))


@pytest.mark.timeout(300)
def test_the_page_for_those_in_trouble_shows_what_kubectl_prints(
    cluster: Cluster, pools: tuple[Operator, dict[str, Pool]]
) -> None:
    _, found = pools
    wanted = page({one.title: told(cluster, found[one.title], one) for one in SITUATIONS})
    if os.environ.get("MODELPOOL_WRITE_GOLDEN"):
        Path(PAGE).write_text(wanted, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == wanted
