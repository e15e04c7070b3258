"""Objects as an API server lists them, reduced. Nothing that is absent is an error."""

import time
from dataclasses import replace

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.quantity import LARGEST
from modelpool_operator.planning.objects.identity import ChildRef
from modelpool_operator.planning.observation import log_lines
from modelpool_operator.planning.observation.holdings import asked_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_states import state_of
from modelpool_operator.planning.observation.pod_views import ContainerView, PodView
from modelpool_operator.planning.placement.node_cards import card_count
from modelpool_operator.planning.placement.occupants import startable
from modelpool_operator.planning.sharing.inventory import NodeView


def test_empty_objects_are_read() -> None:
    assert PodView.from_manifest({}).phase == "Pending"
    assert NodeView.from_manifest({}).gpu_memory is None
    assert ContainerView.from_status({}).ended_reason == ""


def test_a_node_says_how_large_its_cards_are() -> None:
    labels = {"nvidia.com/gpu.memory": "24564"}
    node = NodeView.from_manifest({"metadata": {"name": "gpu-1", "labels": labels}})
    assert node.gpu_memory == 24564 * 1024**2


LABELS = {
    "as feature discovery writes it": ("24576", 24576),
    "with its unit": ("24576MiB", 24576),
    "with the unit of Kubernetes": ("24576Mi", 24576),
    "in gibibytes": ("24GiB", 24576),
    "nothing": ("0", None),
    "less than nothing": ("-1", None),
    "no number": ("many", None),
    "another unit": ("24GB", None),
}


@pytest.mark.parametrize(("label", "mebibytes"), LABELS.values(), ids=LABELS.keys())
def test_a_label_by_hand_is_read_where_it_can_only_mean_one_thing(label: str, mebibytes: int | None) -> None:
    node = NodeView.from_manifest({"metadata": {"labels": {"nvidia.com/gpu.memory": label}}})
    assert node.gpu_memory == (None if mebibytes is None else mebibytes * 1024**2)


def test_a_label_that_is_no_number_says_nothing() -> None:
    assert NodeView.from_manifest({"metadata": {"labels": {"nvidia.com/gpu.memory": "many"}}}).gpu_memory is None


def test_the_last_end_of_a_container_is_the_present_one_or_the_one_before() -> None:
    before = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    assert ContainerView.from_status({"lastState": before, "state": {"running": {}}}).exit_code == 137
    now = {"terminated": {"reason": "Error", "exitCode": 1, "message": "no"}}
    assert ContainerView.from_status({"lastState": before, "state": now}).ended_message == "no"


def test_a_log_is_wanted_of_what_runs_and_is_not_ready_and_of_a_pull() -> None:
    def pod(component: str, *, ready: bool, state: str = "running", **metadata: str) -> PodView:
        condition = {"type": "Ready", "status": str(ready)}
        status = {"conditions": [condition], "containerStatuses": [{"name": component, "state": {state: {}}}]}
        return PodView.from_manifest(
            {"metadata": {"labels": {names.NAME_LABEL: component}, **metadata}, "status": status}
        )

    assert pod("vllm", ready=False).wants_log
    assert pod("pull", ready=True).wants_log
    assert not pod("vllm", ready=True).wants_log
    assert not pod("vllm", ready=False, state="waiting").wants_log
    assert not pod("vllm", ready=False, deletionTimestamp="2026-11-22T11:00:00Z").wants_log


def test_nobody_has_the_log_of_a_node_that_is_not_heard_of() -> None:
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "pull", "ready": True, "state": {"running": {}}}],
    }
    pod = PodView.from_manifest({"metadata": {"labels": {names.NAME_LABEL: "pull"}}, "status": status})
    assert (pod.lost, pod.wants_log) == (True, False)


def test_logs_find_their_pods_and_children_their_names() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    observed = Observed.from_manifests(children=[service], pods=[{"metadata": {"name": "p"}}], logs={"p": ["x", "y"]})
    assert observed.pods[0].log == ("x", "y")
    assert observed.child("Service", "a") == service
    assert observed.child("Deployment", "a") is None
    assert list(observed.children) == [ChildRef("v1", "Service", "a")]


MANY_DIGITS = "9" * 5000


def test_a_number_that_nobody_can_mean_is_none() -> None:
    """Whoever may write a pod writes its annotations, and Python refuses to read more than 4,300 digits."""
    said = {names.MEMORY_ANNOTATION: MANY_DIGITS, names.CARD_ANNOTATION: f"0,{MANY_DIGITS}"}
    pod = PodView.from_manifest({"metadata": {"annotations": said}})
    assert (pod.held, pod.gpus) == (0, ())
    template = {"metadata": {"annotations": {**said, names.CARD_ANNOTATION: "0"}}, "spec": {}}
    engine = {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": template}}
    (there,) = startable({ChildRef("apps/v1", "Deployment", "a"): engine}, ())
    assert (there.bytes, there.gpus) == (0, (0,))
    asking = {"containers": [{"resources": {"limits": {"nvidia.com/gpu": MANY_DIGITS}}}]}
    assert asked_of(asking) == {"nvidia.com/gpu": LARGEST}
    node = {"status": {"allocatable": {"nvidia.com/gpu": MANY_DIGITS}}, "metadata": {"name": "gpu-1"}}
    seen = NodeView.from_manifest(node)
    assert seen.resources == {"nvidia.com/gpu": LARGEST}
    alone = replace(seen, labels={names.NODE_GPU_SHARING_LABEL: "none"})
    labelled = replace(seen, labels={names.NODE_GPU_COUNT_LABEL: str(LARGEST)})
    assert [card_count(one, "nvidia.com/gpu") for one in (alone, labelled)] == [None, None]


HOSTILE = {
    "one line": ("Loading shards " * 4000,),
    "a line of names": (".bin" * 16_000,),
    "many lines": ("Loading shards " * 30,) * 140,
}


@pytest.mark.parametrize("log", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_log_costs_little_whatever_is_in_it(log: tuple[str, ...]) -> None:
    """Whoever runs in an engine writes it; a line of 64 KiB took minutes, while all other pools waited."""
    status = {"phase": "Running", "containerStatuses": [{"name": "vllm", "state": {"running": {}}}]}
    pod = PodView.from_manifest({"metadata": {"labels": {names.NAME_LABEL: "vllm"}}, "status": status}, log)
    begun = time.process_time()
    state_of(pod)
    log_lines.pulled(pod)
    assert time.process_time() - begun < 0.5
    assert PodView.from_manifest({}, ["a", "b"]).log == ("a", "b")
