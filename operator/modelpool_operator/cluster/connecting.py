"""Where the API server is, who we are to it, and a client of it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from modelpool_operator.cluster.client import Client
from modelpool_operator.telemetry.metrics import Metrics


async def configuration(kubeconfig: Path | None) -> Configuration:
    """Return the API server's address and our credentials: a kubeconfig's, or those of the Pod we run in.

    Raises:
        kubernetes.aio.config.ConfigException: the file names no cluster, or we run in no Pod.
    """
    found = Configuration()
    if kubeconfig is None:
        config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
    else:
        loading = config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), client_configuration=found, persist_config=False
        )
        await loading
    # As kopf does: the API server is named, never found through a proxy that happens to stand in the environment.
    found.client_session_kwargs = {"trust_env": False}
    # Every watch holds a connection for good, and their number grows with the namespaces.
    found.connection_pool_maxsize = 0
    return found


@contextlib.asynccontextmanager
async def connected(found: Configuration, metrics: Metrics) -> AsyncIterator[Client]:
    """Open a client, and close its connections at the end."""
    async with ApiClient(configuration=found) as api:
        api.user_agent = "modelpool-operator"
        yield Client(api, metrics)
