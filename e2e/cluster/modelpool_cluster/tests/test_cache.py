"""Two fillers never meet, a dead one leaves nothing in the way, and a program is there whole or not at all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.synchronize import Event
from pathlib import Path

from modelpool_cluster.binaries import pins
from modelpool_cluster.binaries.cache import Cache, Provenance

GO_MOD = """
module example

require (
	k8s.io/kubernetes v1.36.3 // indirect
	go.etcd.io/etcd/server/v3 v3.6.8
)
require sigs.k8s.io/kwok v0.8.0
replace k8s.io/api => k8s.io/api v0.36.3
"""


def test_a_program_appears_whole_executable_and_with_its_history(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    provenance = Provenance(version="v1", origin="built", seconds=1.5)

    with cache.locked(print), cache.staging() as staged:
        (staged / "tool").write_text("#!/bin/sh\n")
        assert cache.find("tool") is None
        cache.adopt(staged / "tool", "tool", provenance)

    assert cache.find("tool") == tmp_path / "cache" / "tool"
    assert cache.provenance("tool") == provenance
    assert cache.provenance("other") is None
    assert not list(cache.folder.glob(".staging-*"))


def test_the_second_filler_waits_and_says_so(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    said: list[str] = []
    waiting, entered = threading.Event(), threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    def second() -> None:
        with cache.locked(say):
            entered.set()

    with cache.locked(print):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(30)
        assert not entered.is_set()
    thread.join(30)

    assert entered.is_set()
    assert said == [f"Waiting for another process that fills {tmp_path}"]


def _die_while_filling(folder: Path, filling: Event) -> None:
    cache = Cache(folder)
    with cache.locked(print), cache.staging() as staged:
        (staged / "half").write_text("half")
        filling.set()
        signal.pause()


def test_a_killed_filler_leaves_no_lock_and_its_remains_are_swept(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    filling = spawn.Event()
    filler = spawn.Process(target=_die_while_filling, args=(tmp_path, filling))
    filler.start()
    assert filling.wait(60)
    os.kill(filler.pid or 0, signal.SIGKILL)
    filler.join(30)
    assert list(tmp_path.glob(".staging-*"))

    said: list[str] = []
    with Cache(tmp_path).locked(said.append):
        assert not list(tmp_path.glob(".staging-*"))
    assert said == []


def test_the_key_names_the_version_and_changes_with_every_input() -> None:
    key = pins.cache_key(GO_MOD, "sums", system="linux", machine="amd64")
    others = {
        pins.cache_key(GO_MOD + "\n", "sums", system="linux", machine="amd64"),
        pins.cache_key(GO_MOD, "other", system="linux", machine="amd64"),
        pins.cache_key(GO_MOD, "sums", system="linux", machine="arm64"),
    }

    assert key.startswith("v1.36.3-")
    assert len(others | {key}) == 4
    assert key == pins.cache_key(GO_MOD, "sums", system="linux", machine="amd64")


def test_versions_are_read_from_go_mod_and_told_to_the_linker() -> None:
    assert pins.versions(GO_MOD) == {
        "k8s.io/kubernetes": "v1.36.3",
        "go.etcd.io/etcd/server/v3": "v3.6.8",
        "sigs.k8s.io/kwok": "v0.8.0",
    }
    apiserver = next(target for target in pins.TARGETS if target.name == "kube-apiserver")
    flags = apiserver.linker_flags("v1.36.3")
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v1.36.3 -X {package}.gitMajor=1 -X {package}.gitMinor=36" in flags
