"""A gateway and its engines as processes, and what is left of the requests when they are over."""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modelpool_cluster.controlplane.supervise import die_with

from .. import built
from . import callers, fates
from .fates import Fate, Seen

ROOM: Final = 256
_SETTLES_WITHIN: Final = 30.0
_STARTS_WITHIN: Final = 60.0
_RSS_GROWTH_KIB: Final = 12 * 1024
"""What the gateway may hold more at the end than when a fifth of the requests was over: its heap's own swinging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a gateway holds."""

    sockets: int
    rss_kib: int
    in_flight: int
    waiting: int


def routes(urls: list[str], engines: tuple[str, ...]) -> dict[str, object]:
    """A model with these engines, in order of preference."""
    backends = [
        {"engine": engine, "url": url, "model": fates.MODEL, "maxConcurrency": ROOM}
        for engine, url in zip(engines, urls, strict=True)
    ]
    pool = {"namespace": "soak", "name": "soak", "created": "2026-11-22T10:00:00Z"}
    model = {"name": fates.MODEL, "capabilities": ["completion"], "contextLength": 32768, "backends": backends}
    return {"version": 1, "pool": pool, "queue": {"maxPending": 4096, "timeoutSeconds": 60}, "models": [model]}


def soaked(
    folder: Path, engines: tuple[str, ...], requests: int, aborts_of_1000: int, build: built.Build, at_once: int = 48
) -> dict[str, object]:
    """Ask so many requests through a gateway before these engines; the verdict as a document."""
    began = time.monotonic()
    with _engines(len(engines)) as urls, _gateway(folder, routes(urls, engines), build) as (port, pid):
        first = requests // 5
        start = _kept(port, pid)
        spare = start.sockets + len(engines)  # a probe may open one as another is closed
        tally = asyncio.run(callers.ask_all(port, 0, first, aborts_of_1000, at_once))
        before = _settled(port, pid, spare)
        tally += asyncio.run(callers.ask_all(port, first, requests, aborts_of_1000, at_once))
        after = _settled(port, pid, spare)
        kind = built.kind_of(pid)
    unlike = sum(count for (fate, seen), count in tally.items() if seen is not fates.wanted(fate))
    refused = sum(count for (_, seen), count in tally.items() if seen is Seen.REFUSED)
    grown = after.rss_kib - before.rss_kib
    left = {"leases": after.in_flight, "waiting": after.waiting, "sockets": max(0, after.sockets - spare)}
    kept = not unlike and tally.total() == requests and grown <= _RSS_GROWTH_KIB and not any(left.values())
    return {
        "engines": "+".join(engines),
        "build": kind,
        "requests": tally.total(),
        "aborted": sum(count for (fate, _), count in tally.items() if fate is not Fate.FINE),
        "refused": refused,
        "unlike": unlike,
        "seen": {f"{fate}: {seen}": count for (fate, seen), count in sorted(tally.items())},
        "left": left,
        "rss_kib": [before.rss_kib, after.rss_kib],
        "seconds": round(time.monotonic() - began, 1),
        "passes": kept,
    }


@contextmanager
def _running(words: list[str], environ: dict[str, str], log: int) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        preexec_fn=die_with(os.getpid()),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def _engines(count: int) -> Iterator[list[str]]:
    with _running([f"{__package__}.engines", str(count)], {}, subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield [f"http://127.0.0.1:{port}" for port in json.loads(process.stdout.readline())]


@contextmanager
def _gateway(folder: Path, document: dict[str, object], build: built.Build) -> Iterator[tuple[int, int]]:
    """Its port and its process, once all its engines are ready."""
    path = folder / "routes.json"
    path.write_text(json.dumps(document))
    words = ["modelpool_sidecar", "--routes-file", str(path), "--listen", "127.0.0.1:0"]
    with (folder / "log").open("wb") as log, _running(words, build.environ(), log.fileno()) as process:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["listening"][0].rpartition(":")[2])
        ends = time.monotonic() + _STARTS_WITHIN
        while not all(backend["ready"] for backend in _backends(port)):
            if time.monotonic() > ends:
                raise TimeoutError(f"the gateway's engines are not ready: {_backends(port)}")
            time.sleep(0.05)
        yield port, process.pid


def _view(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/modelpool/routes", timeout=10) as response:
        found: dict[str, Any] = json.load(response)
    return found


def _backends(port: int) -> list[dict[str, Any]]:
    pools = _view(port)["pools"]
    found = [backend for pool in pools for model in pool["models"] for backend in model["backends"]]
    return found or [{"ready": False}]


def _settled(port: int, pid: int, sockets: int) -> Kept:
    """What is held once no more than so many sockets are: connections that were kept are closed after some seconds."""
    ends = time.monotonic() + _SETTLES_WITHIN
    while True:
        found = _kept(port, pid)
        if (found.in_flight == 0 and found.sockets <= sockets) or time.monotonic() > ends:
            return found
        time.sleep(0.5)


def _kept(port: int, pid: int) -> Kept:
    view = _view(port)
    waiting = sum(backend["queueDepth"] for backend in _backends(port))
    sockets = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets += str(link.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue
    status = Path(f"/proc/{pid}/status").read_text()
    rss = int(status.partition("VmRSS:")[2].split()[0])
    return Kept(sockets=sockets, rss_kib=rss, in_flight=view["inFlight"], waiting=waiting)
