"""Starts a peer, waits until it answers a request, and ends it. It ends with this process, however that ends."""

import json
import os
import resource
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelpool_cluster.controlplane.supervise import die_with

from .asking import MODEL
from .load import on_cpu
from .peers import Peer, Place, free_port

_STARTS_WITHIN: Final = 120.0
_ENDS_WITHIN: Final = 20.0


class PeerFailedError(RuntimeError):
    """A peer did not start; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A peer that answers."""

    name: str
    address: str
    """host:port."""
    pids: tuple[int, ...] = ()
    translates: bool = False
    leaves_out: frozenset[str] = frozenset()


@contextmanager
def running(peer: Peer, folder: Path, upstream: str, cpu: int | None, environ: Mapping[str, str]) -> Iterator[Target]:
    """Run a peer until it answers a request, and to the end of the block. Raises PeerFailedError."""
    place = Place(folder=folder / peer.name, port=free_port(), upstream=upstream)
    place.folder.mkdir(parents=True)
    command = peer.command(place)
    log = place.folder / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*on_cpu(cpu), *command.words],
            env={**environ, **command.environ},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=place.folder,
            preexec_fn=_prepare(os.getpid()),
        )
    try:
        _wait(peer.name, place.port, process, log)
        yield Target(
            name=peer.name,
            address=f"127.0.0.1:{place.port}",
            pids=tuple(family(process.pid)),
            translates=peer.translates,
            leaves_out=peer.leaves_out,
        )
    finally:
        process.terminate()
        try:
            process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _prepare(parent: int) -> Callable[[], None]:
    """What is done before the peer's program runs.

    A stream is two descriptors to a gateway; service managers and containers give them more than a shell does.
    """
    arm = die_with(parent)

    def prepare() -> None:
        arm()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return prepare


def _wait(name: str, port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Are you there?"}]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions", body, {"Content-Type": "application/json"}
    )
    ends = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except urllib.error.HTTPError as error:
            with error:
                seen = f"{error.code} {error.read(300)!r}"
        except OSError as error:
            seen = str(error)
        if process.poll() is not None or time.monotonic() > ends:
            raise PeerFailedError(f"{name} does not answer: {seen}\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def family(root: int) -> list[int]:
    """A process and all that came of it."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [root]
    for pid in found:
        found.extend(parents.get(pid, ()))
    return found
