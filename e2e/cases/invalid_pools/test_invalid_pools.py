"""What a user is told about a pool that cannot be: by `kubectl apply`, or by the condition `Planned`.

Three tables change base.yaml. refused.yaml: the API server says no, with the CRD's schema and rules. immutable.yaml: it
says no to a change of a pool that exists. unplannable.yaml: it says yes, and the operator's plan says no. The words are
compared whole: they are the interface.
"""

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from invalid_pools_table import BASE, Case, Pool, changed, table

from modelpool_cluster.cluster import Cluster
from modelpool_cluster.managers import KubectlError
from modelpool_operator.api.parsing import from_body
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.observation.observed import Observed

ROOT = Path(__file__).parents[3]
CRD = ROOT / "crds" / "modelpools.yaml"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
UNCHECKED = (
    "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
"""The API server's footnote to errors that make a rule's evaluation pointless; not ours to word."""


@pytest.fixture(scope="module")
def crd(cluster: Cluster) -> Cluster:
    """The cluster, knowing ModelPools."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", CRD)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/modelpools.modelpool.dev")
    return cluster


@pytest.fixture(scope="module")
def home(crd: Cluster) -> Iterator[str]:
    """A namespace in which the base exists; the tests that share it change nothing that another looks at."""
    namespace = f"invalid-pools-{secrets.token_hex(3)}"
    crd.add_namespace(namespace)
    crd.kubectl("apply", "--namespace", namespace, "--validate=strict", "-f", "-", stdin=json.dumps(BASE))
    yield namespace
    crd.remove_namespace(namespace)


def dry_run(cluster: Cluster, *pools: Pool, namespace: str = "default") -> str:
    """Return what `kubectl apply` prints. Raises KubectlError."""
    flags = ("--dry-run=server", "--validate=strict", "--namespace", namespace)
    return cluster.kubectl("apply", *flags, "-f", "-", stdin="\n---\n".join(map(json.dumps, pools)))


@pytest.fixture(scope="module")
def told(crd: Cluster) -> dict[str, str]:
    """What kubectl says to each entry of refused.yaml, by its name; all in one call, which takes a second."""
    cases = table("refused")
    with pytest.raises(KubectlError) as caught:
        dry_run(crd, *(case.pool for case in cases))
    lines = str(caught.value).partition("-f -: ")[2].splitlines()
    assert len(lines) == len(cases), "an entry was accepted"
    return {case.name: objections(line) for case, line in zip(cases, lines, strict=True)}


def objections(line: str) -> str:
    """Return a line of kubectl's without its heading, and without the API server's footnote."""
    bare = re.sub(r'^Error from server \(Invalid\): .*?: ModelPool\.modelpool\.dev ".*?" is invalid: ', "", line)
    return re.sub(r"^\[(.*)\]$", r"\1", bare).removesuffix(f", {UNCHECKED}")


def every(name: str) -> pytest.MarkDecorator:
    cases = table(name)
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def test_the_tables_are_large_enough_and_say_each_thing_once() -> None:
    cases = [case for name in ("refused", "immutable", "unplannable") for case in table(name)]
    assert len(cases) >= 30
    assert len({case.name for case in cases}) == len(cases)


def test_every_rule_of_the_crd_is_broken_by_an_entry() -> None:
    said = " ".join(line for name in ("refused", "immutable") for case in table(name) for line in case.says)
    starts = [
        re.split(r", got |%[sd]", rule.get("message") or rule["messageExpression"].strip("\"'"))[0]
        for rule in rules(yaml.safe_load(CRD.read_text()))
    ]
    assert len(starts) > 30
    assert [start for start in starts if start not in said] == []


def rules(schema: Any) -> Iterator[dict[str, str]]:
    """Yield all rules, wherever they stand."""
    if isinstance(schema, dict):
        yield from schema.get("x-kubernetes-validations", [])
        for below in schema.values():
            yield from rules(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from rules(below)


def test_the_base_is_valid(crd: Cluster) -> None:
    assert dry_run(crd, BASE) == "modelpool.modelpool.dev/pool created (server dry run)\n"
    assert make_plan(from_body(BASE), Observed()).refusal is None


@every("refused")
def test_kubectl_apply_says_what_is_wrong(told: dict[str, str], case: Case) -> None:
    assert told[case.name] == ", ".join(case.says)


@every("immutable")
def test_kubectl_apply_says_what_may_not_change(crd: Cluster, home: str, case: Case) -> None:
    with pytest.raises(KubectlError) as caught:
        dry_run(crd, case.pool, namespace=home)
    assert str(caught.value).endswith(f'-f -: The ModelPool "pool" is invalid: {case.says[0]}')


def test_other_fields_may_change(crd: Cluster, home: str) -> None:
    for size in ("102400Mi", "200Gi"):
        pool = changed(BASE, {"spec.cache.size": size, "spec.routing.maxPending": 3, "spec.cache.onDelete": "Retain"})
        assert "configured" in dry_run(crd, pool, namespace=home)


def test_the_api_server_accepts_what_only_the_operator_can_refuse(crd: Cluster) -> None:
    pools = [case.pool for case in table("unplannable")]
    assert dry_run(crd, *pools) == "modelpool.modelpool.dev/pool created (server dry run)\n" * len(pools)


@every("unplannable")
def test_the_operator_says_what_does_not_fit(case: Case) -> None:
    refused = make_plan(from_body(case.pool), Observed()).refusal
    assert refused is not None
    assert [refused.message] == case.says


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_accepted(crd: Cluster, path: Path) -> None:
    told = dry_run(crd, yaml.safe_load(path.read_text()))
    assert told.endswith("created (server dry run)\n")


def test_nothing_is_written_into_a_spec(crd: Cluster) -> None:
    told = crd.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-", "-o", "json", stdin=json.dumps(BASE)
    )
    assert json.loads(told)["spec"] == BASE["spec"]


@pytest.mark.parametrize("part", ["spec", "status"])
def test_kubectl_explain_reads_like_documentation(crd: Cluster, part: str) -> None:
    told = crd.kubectl("explain", f"modelpool.{part}", "--recursive")
    fields = set(re.findall(r"^\s+(\w+)\t", told, re.MULTILINE))
    assert len(fields) > 10
    schema = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]
    for path in object_paths(f"modelpool.{part}", schema):
        told = crd.kubectl("explain", path)
        assert "<no description>" not in told, path
        undescribed = re.findall(r"^  (\w+)\t<.*>.*\n(?:  enum: .*\n)?+(?!    \S)", told, re.MULTILINE)
        assert undescribed == [], path


def object_paths(path: str, schema: dict[str, Any]) -> Iterator[str]:
    """Yield the paths of all objects that have fields."""
    below = schema.get("items", schema)
    if "properties" in below:
        yield path
        for name, field in below["properties"].items():
            yield from object_paths(f"{path}.{name}", field)


def test_the_columns_of_kubectl_get(crd: Cluster, home: str) -> None:
    ready = {
        "type": "Ready",
        "status": "False",
        "reason": "Loading",
        "message": "qwen3:8b is loading.",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {
        "observedGeneration": 1,
        "conditions": [ready],
        "readyModels": "2/3",
        "gpuCount": 2,
        "freeGpuMemory": "0.9Gi, 3.2Gi",
        "gateway": {"openai": "http://gateway:8100/v1", "ollama": "http://gateway:8100"},
    }
    crd.kubectl(
        *("patch", "modelpool", "pool", "--namespace", home, "--subresource=status", "--type=merge"),
        *("--patch", json.dumps({"status": status})),
    )
    heading, row = crd.kubectl("get", "mp", "--namespace", home, "-o", "wide").splitlines()
    assert heading.split() == ["NAME", "READY", "MODELS", "GPUS", "FREE", "REASON", "AGE", "MESSAGE", "URL"]
    columns = re.split(r"\s{2,}", row)
    assert columns[:6] == ["pool", "False", "2/3", "2", "0.9Gi, 3.2Gi", "Loading"]
    assert columns[7:] == ["qwen3:8b is loading.", "http://gateway:8100/v1"]
