"""Writing a pool's status, by server-side apply on the status subresource, and only when it says something new."""

from modelpool_operator.api import names, parsing
from modelpool_operator.api.status import PoolStatus
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Client, Object


async def report(client: Client, body: Object, status: PoolStatus) -> bool:
    """Write the status unless the pool carries it already, and return whether it was written.

    Args:
        client: the API server.
        body: the ModelPool as it was read at the begin of the pass.
        status: what it shall say.

    Raises:
        errors.ClusterError: the status could not be written. A pool that went away, or came back as another, is none.
    """
    if parsing.status_of(body) == status:
        return False
    metadata = body["metadata"]
    manifest = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]},
        "status": parsing.render(status),
    }
    try:
        await client.apply(kinds.POOLS, manifest, manager=names.STATUS_FIELD_MANAGER, status=True)
    except (errors.AbsentError, errors.ConflictError):
        return False
    return True
