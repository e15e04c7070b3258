"""`modelpool-operator`: settings in, a running operator out.

Exit status 0 after SIGTERM or SIGINT, 1 after a failure, 2 when told wrong.
"""

import asyncio
import dataclasses
import gc
import logging
import os
import sys
from typing import Final

from kubernetes.aio.config import ConfigException

from modelpool_operator import program, settings
from modelpool_operator.cluster.leases import LostError
from modelpool_operator.telemetry import logs

logger = logging.getLogger(__name__)

CONTAINERS: Final = 20_000
"""Containers that are made, and not let go, until the collector looks for cycles. An object of the API server is some
hundred of them and goes without it; at Python's own 700 the collector takes a fifth of all that the operator computes.
"""


def main() -> None:
    """Run the operator."""
    told = settings.load(sys.argv[1:], os.environ)
    logs.configure(as_json=told.log_format is settings.LogFormat.JSON, level=told.log_level)
    logger.info("Starting", extra={"told": dataclasses.asdict(told)})
    gc.freeze()  # What was imported stays.
    gc.set_threshold(CONTAINERS)
    try:
        asyncio.run(program.run(told))
    except ConfigException as exc:
        logger.error("No credentials for a cluster: give --kubeconfig, or run in a Pod", extra={"error": str(exc)})
        sys.exit(2)
    except ExceptionGroup as failed:
        if (lost := failed.subgroup(LostError)) is not None:
            logger.warning("Stops: others may be at work", extra={"error": str(_first(lost))})
            sys.exit(1)
        refused, others = failed.split(OSError)
        if refused is None or others is not None:
            raise
        logger.error("Could not listen", extra={"error": str(_first(refused))})
        sys.exit(1)


def _first(group: ExceptionGroup[Exception]) -> Exception:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, ExceptionGroup) else inner


if __name__ == "__main__":
    main()
