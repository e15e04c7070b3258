"""`python -m modelpool_cluster`: get programs ahead of time, or start a cluster to play with."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import threading
import time

from . import leftovers
from .binaries import Binaries
from .binaries.resolving import described
from .node.cluster import NodeCluster
from .opening import cluster_for
from .settings import InvalidSettingError, Provider, current


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m modelpool_cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    binaries = commands.add_parser("binaries", help="find, fetch or build all programs, and say where they are")
    binaries.set_defaults(run=_binaries)
    up = commands.add_parser("up", help="start a control plane and keep it until Ctrl-C")
    up.add_argument("--node", action="store_true", help="with a real node in place of fake ones; Linux, root")
    up.add_argument("--gpu-nodes", type=int, default=1, help="fake GPU nodes to add (1)")
    up.set_defaults(run=_up)
    clean = commands.add_parser("clean", help="remove what killed runs left behind, and say what")
    clean.set_defaults(run=_clean)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except InvalidSettingError as exc:
        print(exc, file=sys.stderr)  # noqa: T201
        return 2


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _binaries(options: argparse.Namespace) -> int:
    began = time.monotonic()
    binaries = Binaries(current(), _say)
    found = {**binaries.control_plane(), "helm": binaries.helm_binary()}
    for line in described(found):
        _say(line)
    _say(f"All programs in {time.monotonic() - began:.1f} s; cache {binaries.cache.folder}")
    return 0


def _clean(options: argparse.Namespace) -> int:
    settings = current()
    if not leftovers.clean(leftovers.places(settings.scratch), settings.cache, _say):
        _say("Nothing to clean")
    return 0


def _up(options: argparse.Namespace) -> int:
    provider = Provider.NODE if options.node else Provider.CONTROLPLANE
    settings = dataclasses.replace(current(), provider=provider)
    stop = threading.Event()
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, lambda signum, frame: stop.set())
    with cluster_for(settings, Binaries(settings, _say), _say) as cluster:
        for number in range(options.gpu_nodes):
            cluster.add_gpu_node(f"gpu-{number}")
        _say(f"Ready in {cluster.start_seconds:.1f} s; Ctrl-C ends it.")
        if isinstance(cluster, NodeCluster):
            _say(" ".join([*cluster.machine.space.command(["bash"]), "  # first: only in there does it answer"]))
        _say(f"export KUBECONFIG={cluster.kubeconfig}")
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
