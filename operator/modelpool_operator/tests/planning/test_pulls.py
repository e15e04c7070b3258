"""What Ollama's volume is to hold: pulls that fit and that do not, that fail and go on, and models that leave it."""

import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.api.status import ModelState
from modelpool_operator.planning.changes import pulls
from modelpool_operator.planning.changes.notes import notes_on
from modelpool_operator.planning.changes.ollama_volume import volume_of, volume_uid
from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.engines.ollama import models as server
from modelpool_operator.planning.manifests.children import children_of
from modelpool_operator.planning.manifests.jobs import REMOVE
from modelpool_operator.planning.memory import architectures as of
from modelpool_operator.planning.memory import ollama_library
from modelpool_operator.planning.objects.identity import ref_of
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_views import PodView
from modelpool_operator.planning.reporting.hanging import candidates
from modelpool_operator.planning.sharing.shares import Placement
from modelpool_operator.tests.planning.pools import after, ollama, pool_of, vllm

UID = "uid-agentic-ollama"


def pool(*models: str, **server: Any) -> ModelPool:
    return pool_of(*(ollama(model) for model in models), ollama=server)


def pull(model: str) -> str:
    return f"Job {names.pull_name('agentic', model, UID)}"


def removal(model: str) -> str:
    return f"Job {names.remove_name('agentic', model, UID)}"


def ended(observed: Observed, **conditions: str) -> Observed:
    """Return the observation with Jobs in a condition, by the begin of their names; `Complete` where none is said."""
    children = {
        ref: (
            {**live, "status": {"conditions": [{"type": conditions.get(ref.name, "Complete"), "status": "True"}]}}
            if ref.kind == "Job" and "status" not in live
            else live
        )
        for ref, live in observed.children.items()
    }
    return replace(observed, children=children)


def running(wanted: ModelPool) -> Observed:
    """Return what is observed of a pool whose volume and server are there, and whose pulls have not begun."""
    first = after(Observed(), make_plan(wanted, Observed()))
    assert volume_uid(wanted, first) == UID
    return first


def jobs(observed: Observed) -> set[str]:
    return {str(ref) for ref in observed.children if ref.kind == "Job"}


def step(wanted: ModelPool, observed: Observed) -> tuple[set[str], set[str], Observed]:
    """Return the Jobs that a pass makes and deletes, and what is observed then."""
    plan = make_plan(wanted, observed)
    made = {str(ref_of(manifest)) for manifest in plan.apply if manifest["kind"] == "Job"}
    gone = {str(ref) for ref in plan.delete if ref.kind == "Job"}
    return made, gone, after(observed, plan)


# -- what fits -------------------------------------------------------------------------------------------------------


def test_a_pull_that_the_volume_cannot_hold_does_not_begin() -> None:
    wanted = pool("qwen3:8b", "llama3.1:70b", "cogito:8b", storage={"size": "40Gi"})
    made, _, observed = step(wanted, running(wanted))
    assert made == {pull("qwen3:8b"), pull("cogito:8b")}
    refused = pulls.state_of(wanted, "llama3.1:70b", observed, volume_of(wanted, observed))
    assert (refused.reason, refused.message) == (
        "VolumeTooSmall",
        (
            "llama3.1:70b takes 43.0 GB of disk, and the volume of 42.9 GB has 32.8 GB left beside 5.2 GB of qwen3:8b,"
            " 4.9 GB of cogito:8b; resize its PersistentVolumeClaim"
        ),
    )


def test_what_has_begun_comes_before_what_stands_before_it() -> None:
    small = pool("qwen3:32b", storage={"size": "25Gi"})
    _, _, observed = step(small, running(small))
    more = pool("gemma3:27b", "qwen3:32b", storage={"size": "25Gi"})
    made, gone, _ = step(more, observed)
    assert (made, gone) == (set(), set())
    assert set(volume_of(more, observed).too_large) == {"gemma3:27b"}


def test_a_volume_that_was_resized_holds_more() -> None:
    wanted = pool("llama3.1:70b", storage={"size": "40Gi"})
    observed = running(wanted)
    assert volume_of(wanted, observed).too_large
    larger = {
        ref: {**live, "status": {"capacity": {"storage": "80Gi"}}} if ref.kind == "PersistentVolumeClaim" else live
        for ref, live in observed.children.items()
    }
    assert volume_of(wanted, replace(observed, children=larger)).too_large == {}


def test_a_volume_that_is_to_grow_holds_what_it_has() -> None:
    """Its StorageClass may forbid growth: a pull that begins then fails when the disk is full."""
    small, large = pool("llama3.1:70b", storage={"size": "40Gi"}), pool("llama3.1:70b", storage={"size": "80Gi"})
    observed = running(small)
    (volume,) = (ref for ref in observed.children if ref.kind == "PersistentVolumeClaim")
    bound = {**observed.children[volume], "status": {"phase": "Bound", "capacity": {"storage": "40Gi"}}}
    observed = replace(observed, children={**observed.children, volume: bound})
    made, _, then = step(large, observed)
    assert made == set()
    assert (
        "42.9 GB has 42.9 GB left; it is to grow, and has not yet" in volume_of(large, then).too_large["llama3.1:70b"]
    )
    grown = {**then.children[volume], "status": {"phase": "Bound", "capacity": {"storage": "80Gi"}}}
    made, _, _ = step(large, replace(then, children={**then.children, volume: grown}))
    assert made == {pull("llama3.1:70b")}


def test_a_model_is_there_as_long_as_the_volume_is_that_goes() -> None:
    wanted = pool("qwen3:8b")
    _, _, observed = step(wanted, running(wanted))
    observed = ended(observed)
    (volume,) = (ref for ref in observed.children if ref.kind == "PersistentVolumeClaim")
    live = observed.children[volume]
    going = {**live, "metadata": {**live["metadata"], "deletionTimestamp": "2026-11-22T11:00:00Z"}}
    observed = replace(observed, children={**observed.children, volume: going})
    assert pulls.state_of(wanted, "qwen3:8b", observed, volume_of(wanted, observed)).state is ModelState.READY
    made, gone, _ = step(wanted, observed)
    assert (made, gone) == (set(), set()), "the record stays"
    left = {ref: one for ref, one in observed.children.items() if ref != volume}
    _, gone, _ = step(wanted, replace(observed, children=left))
    assert gone == {pull("qwen3:8b")}


def test_unknown_models_and_volumes_of_others_are_not_judged() -> None:
    assert volume_of(pool("somebody/model:70b", storage={"size": "1Gi"}), Observed()).too_large == {}
    assert volume_of(pool("llama3.1:70b", storage={"existingClaim": "mine"}), Observed()).too_large == {}


DIMENSIONS = {
    "qwen3:0.6b": of.QWEN3_06B,
    "qwen3:8b": of.QWEN3_8B,
    "qwen3:14b": of.QWEN3_14B,
    "qwen3:32b": of.QWEN3_32B,
    "qwen3:30b": of.QWEN3_30B_A3B,
    "qwen2.5:7b": of.QWEN25_7B,
    "qwen2.5:72b": of.QWEN25_72B,
    "llama3.1:8b": of.LLAMA31_8B,
    "llama3.3:70b": of.LLAMA31_70B,
    "llama3.2:3b": of.LLAMA32_3B,
    "gemma3:12b": of.GEMMA3_12B,
    "gemma3:27b": of.GEMMA3_27B,
    "mistral:7b": of.MISTRAL_7B,
    "mistral-small:24b": of.MISTRAL_SMALL_24B,
    "phi4:14b": of.PHI4_14B,
    "cogito:8b": of.LLAMA31_8B,
    "deepseek-r1:14b": of.QWEN25_14B,
    "cogito:3b": of.LLAMA32_3B,
    "cogito:70b": of.LLAMA31_70B,
    "qwen2.5:3b": of.QWEN25_3B,
    "qwen2.5-coder:0.5b": of.QWEN25_05B,
    "qwen2.5-coder:3b": of.QWEN25_3B,
}


@pytest.mark.parametrize(("name", "model"), DIMENSIONS.items(), ids=DIMENSIONS.keys())
def test_a_size_is_what_the_dimensions_say(name: str, model: of.Architecture) -> None:
    """Q4_K_M takes 4.85 bits a parameter; embeddings are stored wider in small models, which the bounds allow for."""
    size, want = ollama_library.size_of(name), model.parameters * 4.85 / 8
    assert size is not None
    assert 0.85 * want < size < 1.45 * want


def test_every_size_has_a_source_and_those_taken_from_alike_tags_are_held_to_their_dimensions() -> None:
    assert ollama_library.SOURCES.keys() == ollama_library.SIZES.keys()
    alike = {name for name, source in ollama_library.SOURCES.items() if source is ollama_library.ALIKE}
    assert alike <= DIMENSIONS.keys()


def test_a_name_is_read_as_ollama_reads_it() -> None:
    assert ollama_library.size_of("library/Qwen3:8B") == ollama_library.size_of("qwen3:8b") == 5_200_000_000
    assert ollama_library.size_of("qwen3") is None


# -- what fails ------------------------------------------------------------------------------------------------------


def test_a_pull_is_tried_without_end() -> None:
    wanted = pool("qwen3:8b")
    plan = make_plan(wanted, running(wanted))
    (job,) = (manifest for manifest in plan.apply if manifest["kind"] == "Job")
    assert job["spec"]["backoffLimit"] == 2**31 - 1


def looked_at(*log: str, **container: Any) -> tuple[ModelState, str, str]:
    """Return the state of a pull whose pod has this log and this container."""
    wanted = pool("qwen3:8b")
    _, _, observed = step(wanted, running(wanted))
    described = {"labels": {names.NAME_LABEL: "pull"}, "annotations": {names.MODEL_ANNOTATION: "qwen3:8b"}}
    status = {"phase": "Running", "containerStatuses": [{"name": "pull", "state": {"running": {}}, **container}]}
    pod = PodView.from_manifest({"metadata": described, "spec": {"nodeName": "n"}, "status": status}, log)
    found = pulls.state_of(wanted, "qwen3:8b", replace(observed, pods=(pod,)), volume_of(wanted, observed))
    return found.state, found.reason, found.message


def test_the_bars_of_the_client_tell_how_far_it_is() -> None:
    log = (
        "\x1b[?2026h\x1b[?25l\x1b[1Gpulling manifest \x1b[K",
        "pulling a3de86cd1c13:  45% ▕████    ▏ 2.1 GB/4.7 GB  50 MB/s     52s\x1b[K",
        "pulling 73b313b5552d: 100% ▕████████▏ 1.4 KB                         \x1b[K",
    )
    assert looked_at(*log) == (ModelState.DOWNLOADING, "Pulling", "Pulling qwen3:8b, 45 % (2.1 GB of 4.7 GB)")
    whole = (line.replace(" 45%", "100%") for line in log)
    assert looked_at(*whole)[2] == "Pulling qwen3:8b, 100 %"
    assert looked_at("pulling manifest")[2] == "Pulling qwen3:8b"


FAILED: dict[str, Any] = {"lastState": {"terminated": {"reason": "Error", "message": "Error: EOF", "exitCode": 1}}}


def test_a_pull_between_two_tries_has_failed_and_goes_on() -> None:
    waits = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    assert looked_at(**FAILED, **waits) == (
        ModelState.FAILED,
        "PullFailed",
        "Could not pull qwen3:8b: Error: EOF; it is tried again",
    )
    assert looked_at("pulling a3de86cd1c13:  46% ▕█", **FAILED) == (
        ModelState.DOWNLOADING,
        "Pulling",
        "Pulling qwen3:8b, 46 %; the last try failed: Error: EOF",
    )


def test_a_pull_that_gave_up_is_made_anew() -> None:
    wanted = pool("qwen3:8b")
    _, _, observed = step(wanted, running(wanted))
    failed = ended(observed, **{names.pull_name("agentic", "qwen3:8b", UID): "Failed"})
    made, gone, observed = step(wanted, failed)
    assert (made, gone) == (set(), {pull("qwen3:8b")})
    made, gone, _ = step(wanted, observed)
    assert (made, gone) == ({pull("qwen3:8b")}, set())


# -- what leaves -----------------------------------------------------------------------------------------------------


def pulled(*models: str, **server: Any) -> Observed:
    wanted = pool(*models, **server)
    _, _, observed = step(wanted, running(wanted))
    return ended(observed)


def test_what_the_pool_no_longer_wants_stays_on_the_volume() -> None:
    made, gone, _ = step(pool("qwen3:8b"), pulled("qwen3:8b", "cogito:8b"))
    assert (made, gone) == (set(), {pull("cogito:8b")})


def test_a_pool_that_prunes_removes_it_and_then_forgets_it() -> None:
    smaller = pool("qwen3:8b", prune=True)
    made, gone, observed = step(smaller, pulled("qwen3:8b", "cogito:8b", prune=True))
    assert (made, gone) == ({removal("cogito:8b")}, set())
    made, gone, observed = step(smaller, observed)
    assert (made, gone) == (set(), set())  # The removal is under way.
    made, gone, observed = step(smaller, ended(observed))
    assert (made, gone) == (set(), {removal("cogito:8b"), pull("cogito:8b")})
    assert jobs(observed) == {pull("qwen3:8b")}
    assert not make_plan(smaller, observed)


def test_a_model_that_comes_back_is_pulled_again() -> None:
    both, smaller = pool("qwen3:8b", "cogito:8b", prune=True), pool("qwen3:8b", prune=True)
    _, _, observed = step(smaller, pulled("qwen3:8b", "cogito:8b", prune=True))
    made, gone, observed = step(both, observed)
    assert (made, gone) == (set(), {removal("cogito:8b"), pull("cogito:8b")})
    made, gone, observed = step(both, observed)
    assert (made, gone) == ({pull("cogito:8b")}, set())
    assert not make_plan(both, observed)


def test_what_was_forgotten_before_is_not_removed_later() -> None:
    _, _, observed = step(pool("qwen3:8b"), pulled("qwen3:8b", "cogito:8b"))
    made, gone, _ = step(pool("qwen3:8b", prune=True), observed)
    assert (made, gone) == (set(), set())


def test_a_removal_asks_ollama_for_the_name_as_it_lists_it() -> None:
    wanted = pool("qwen3:8b", prune=True)
    plan = make_plan(wanted, pulled("qwen3:8b", "somebody/cogito", prune=True))
    (job,) = (manifest for manifest in plan.apply if manifest["kind"] == "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["sh", "-c", REMOVE, "remove", "somebody/cogito:latest"]
    assert job["spec"]["template"]["metadata"]["labels"][names.NAME_LABEL] == "remove"


def removed(folder: Path, model: str, listed: str, status: int = 0) -> tuple[int, list[str]]:
    """Return how the script of a removal ends, and what it asked of an `ollama` that lists these lines."""
    program, record = folder / "ollama", folder / "asked"
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{record}\n[ "$1" = list ] || exit 0\ncat <<"END"\n{listed}\nEND\nexit {status}\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = {"PATH": f"{folder}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", REMOVE, "remove", model], env=path, check=False, capture_output=True)
    return done.returncode, record.read_text().splitlines()


LISTED = "NAME           ID              SIZE      MODIFIED\nqwen3:8b-fp16  a               16 GB     now"


def test_the_removal_removes_what_is_there_and_nothing_of_a_like_name(tmp_path: Path) -> None:
    there = f"{LISTED}\nqwen3:8b       b               5.2 GB    now"
    assert removed(tmp_path, "qwen3:8b", there) == (0, ["list", "rm qwen3:8b"])


def test_the_removal_of_what_is_gone_is_no_failure(tmp_path: Path) -> None:
    assert removed(tmp_path, "qwen3:8b", LISTED) == (0, ["list"])


def test_a_server_that_does_not_answer_is_a_failure(tmp_path: Path) -> None:
    assert removed(tmp_path, "qwen3:8b", "", status=1) == (1, ["list"])


# -- Jobs that are outdated, or get no pod -----------------------------------------------------------------------------


CHANGES: dict[str, dict[str, Any]] = {
    "another image": {"ollama": {"image": "mirror/ollama:0.33.1"}},
    "another node": {"nodeSelector": {"disk": "fast"}},
    "a toleration": {"tolerations": [{"key": "gpu", "operator": "Exists"}]},
    "a label": {"podLabels": {"team": "a"}},
}


@pytest.mark.parametrize("spec", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("complete", [False, True])
def test_an_unfinished_pull_is_made_again_when_its_pod_would_be_another(spec: dict[str, Any], complete: bool) -> None:
    before, then = pool_of(ollama("qwen3:8b")), pool_of(ollama("qwen3:8b"), **spec)
    _, _, observed = step(before, running(before))
    observed = ended(observed) if complete else observed
    made, gone, observed = step(then, observed)
    assert (made, gone) == (set(), set() if complete else {pull("qwen3:8b")})
    made, gone, observed = step(then, observed)
    assert (made, gone) == (set() if complete else {pull("qwen3:8b")}, set())
    assert not make_plan(then, observed)


def test_a_pull_whose_job_gets_no_pod_says_where_to_look() -> None:
    wanted = pool("qwen3:8b")
    _, _, observed = step(wanted, running(wanted))
    state = pulls.state_of(wanted, "qwen3:8b", observed, volume_of(wanted, observed))
    assert (state.state, state.reason) == (ModelState.PENDING, "PullHasNoPod")
    name = names.pull_name("agentic", "qwen3:8b", UID)
    assert f"`kubectl describe job {name} --namespace llm`" in state.message
    assert "ResourceQuota" in state.message


def test_a_pull_that_a_queue_holds_is_said_to_be_held() -> None:
    wanted = pool("qwen3:8b")
    _, _, observed = step(wanted, running(wanted))
    (job,) = (ref for ref in observed.children if ref.kind == "Job")
    live = observed.children[job]
    held = {**live, "spec": {**live["spec"], "suspend": True}}
    observed = replace(observed, children={**observed.children, job: held})
    state = pulls.state_of(wanted, "qwen3:8b", observed, volume_of(wanted, observed))
    assert (state.state, state.reason) == (ModelState.PENDING, "PullSuspended")
    assert "ResourceQuota" not in state.message
    assert candidates(wanted, observed.children.values(), ()) == ()


RESOURCES = {
    "limits": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "1Gi"},
    "requests": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "1Gi"},
}


def test_pods_that_pull_ask_for_what_the_pool_says() -> None:
    found = children_of(pool("qwen3:8b", pullResources=RESOURCES), Placement(cards=(), shares=()), UID)
    (job,) = (one for one in found if one["kind"] == "Job")
    assert job["spec"]["template"]["spec"]["containers"][0]["resources"] == RESOURCES


def test_pods_that_pull_or_remove_ask_for_little_and_say_so() -> None:
    found = children_of(pool("qwen3:8b"), Placement(cards=(), shares=()), UID, removed=("cogito:8b",))
    containers = [one["spec"]["template"]["spec"]["containers"][0] for one in found if one["kind"] == "Job"]
    assert len(containers) == 2
    for container in containers:
        for part in ("limits", "requests"):
            assert container["resources"][part].keys() == {"cpu", "memory"}


# -- names that Ollama lacks -------------------------------------------------------------------------------------------

FALLBACKS = {
    "qwen3:8b": "qwen3:8b",
    "library/qwen3:8b": "library/qwen3:8b",
    "hf.co/bartowski/Qwen3-8B-GGUF:Q4_K_M": "hf.co/bartowski/Qwen3-8B-GGUF:Q4_K_M",
    "BAAI/bge-m3": None,
    "somebody/model:7b": None,
    "qwen3:8b@stable": None,
    "a+b": None,
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_a_name_that_ollama_lacks_has_no_fallback_by_default(name: str) -> None:
    wanted = pool_of(vllm(name, 0.3))
    assert server.models_to_pull(wanted.spec) == ((FALLBACKS[name],) if FALLBACKS[name] else ())
    told = [note for note in notes_on(wanted) if "has no fallback" in note]
    assert (told == []) is (FALLBACKS[name] is not None)
    named = pool_of(vllm(name, 0.3, fallback={"model": "bge-m3"}))
    assert server.models_to_pull(named.spec) == ("bge-m3",)
    assert not [note for note in notes_on(named) if "has no fallback" in note]
    off = pool_of(vllm(name, 0.3, fallback={"enabled": False}))
    assert notes_on(off) == ()
