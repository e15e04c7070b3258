"""What the operator costs with many ModelPools: until all are served, and afterwards, when nothing happens.

    python -m modelpool_bench_operator [--pools 500] [--rest 60]

Starts a real control plane (etcd, API server, controllers, scheduler, with kwok in place of kubelets), installs the
chart's roles and runs the operator with them, makes the pools of four models each, and waits until every one is Ready.
The last line is one JSON document:

steady_seconds               from the first pool's creation to the last write of the operator
writes_per_minute_at_rest    the operator's writes afterwards, as the API server's audit log has them
operator_rss_mib             resident memory at its highest
operator_cpu_percent_at_rest of one core, over the rest
processor_seconds            of each process until steady, which a busy machine changes less than the time on the wall
seconds_of_two_cores         half of their sum: what two cores take that do nothing else
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from modelpool_cluster.binaries import Binaries
from modelpool_cluster.opening import cluster_for
from modelpool_cluster.settings import current
from modelpool_under_test.processes.fleet import MODELS, Cost, Fleet, measured
from modelpool_under_test.processes.installation import installed, rendered

NAMESPACES = 10


def say(line: str) -> None:
    """Tell how far it is, on stderr: the result alone is on stdout."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def spent(processes: Mapping[str, int]) -> dict[str, float]:
    """Return the processor time of processes so far, in seconds."""
    return {name: Cost.of(pid).cpu_seconds for name, pid in processes.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pools", type=int, default=500, help=f"how many, of {MODELS} models each (500)")
    parser.add_argument("--rest", type=float, default=60, help="seconds to look on while nothing happens (60)")
    parser.add_argument("--logs", type=Path, help="keep the control plane's and the operator's logs there")
    options = parser.parse_args()
    settings = current()
    binaries = Binaries(settings, say)
    with tempfile.TemporaryDirectory() as temporary, cluster_for(settings, binaries, say) as cluster:
        folder = options.logs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        namespaces = tuple(f"team-{number}" for number in range(NAMESPACES))
        for namespace in (*namespaces, "modelpool-system"):
            cluster.add_namespace(namespace)
        fleet = Fleet(cluster=cluster, namespaces=namespaces, count=options.pools, said=say)
        fleet.furnish()
        chart = rendered(binaries.helm(), Path(temporary), everywhere=True)
        with installed(cluster, chart, "modelpool-system", folder, everywhere=True) as installation:
            with installation.operator(*installation.told) as operator:
                say(f"The operator is up with {Cost.of(operator.program.process.pid).rss_mib:.0f} MiB")
                processes = {"operator": operator.program.process.pid, **cluster.processes()}
                before = spent(processes)
                began = datetime.now(UTC)
                fleet.create()
                say(f"{options.pools} pools are made")
                fleet.wait_until_steady(operator, timeout=1800)
                steady = fleet.last_write(operator, began)
                took = {name: round(now - before[name], 1) for name, now in spent(processes).items()}
                result = {
                    "pools": options.pools,
                    "models": options.pools * MODELS,
                    "steady_seconds": steady,
                    **measured(operator, seconds=options.rest),
                    "processor_seconds": took,
                    "seconds_of_two_cores": round(sum(took.values()) / 2, 1),
                }
            if options.logs is not None:
                cluster.keep_logs(folder)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
