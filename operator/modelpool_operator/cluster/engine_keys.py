"""The Secrets of engines' keys: the installation's own, which is read or made once, and each pool's, which is made.

Of other Secrets the operator reads none, and of these it overwrites none.
"""

import base64
import binascii
import logging
import secrets
from collections.abc import Mapping
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import errors
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.cluster.kinds import SECRETS

logger = logging.getLogger(__name__)

RELEASE_KEY: Final = "key"
"""Under which the installation's Secret holds the release key; the gateway mounts it as a file of that name."""
_BYTES: Final = 32
_SHORTEST: Final = 16


async def release_key(client: Client, ref: ObjectRef, known: bytes | None = None) -> bytes:
    """Return the release key from its Secret, which is made where it is not there, with the key that is known.

    The bytes are what the gateway finds in its file, without white space around them.

    Raises:
        errors.ClusterError: it could be neither read nor made, or is no key.
    """
    try:
        return await read(client, ref)
    except errors.AbsentError:
        fresh = known or secrets.token_hex(_BYTES).encode()
    try:
        await client.create(SECRETS, _release_secret(ref, fresh))
    except errors.ConflictError:
        return await read(client, ref)
    logger.info("Made the Secret with the release key", extra={"secret": f"{ref.namespace}/{ref.name}"})
    return fresh


async def read(client: Client, ref: ObjectRef) -> bytes:
    """Return the release key from its Secret.

    Raises:
        errors.ClusterError: it could not be read, or is no key.
    """
    return _key_in(await client.get(SECRETS, ref))


async def make(client: Client, manifest: Mapping[str, object]) -> None:
    """Make a pool's Secret, unless it is there: its name says what is in it.

    Raises:
        errors.ClusterError: it could not be made.
    """
    try:
        await client.create(SECRETS, manifest)
    except errors.ConflictError:
        logger.debug("The Secret with a pool's key is there already")


def _release_secret(ref: ObjectRef, key: bytes) -> Object:
    labels = {names.PART_OF_LABEL: names.PART_OF, names.MANAGED_BY_LABEL: names.MANAGED_BY}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": labels},
        "type": "Opaque",
        "data": {RELEASE_KEY: base64.b64encode(key).decode()},
    }


def _key_in(secret: Object) -> bytes:
    what = f"Secret {secret['metadata']['name']} must have a `{RELEASE_KEY}` of at least {_SHORTEST} characters"
    try:
        found = base64.b64decode((secret.get("data") or {}).get(RELEASE_KEY) or "", validate=True).strip()
    except binascii.Error as exc:
        raise errors.RejectedError(f"{what}, got no base64") from exc
    if len(found) < _SHORTEST:
        raise errors.RejectedError(f"{what}, got {len(found)}")
    return found
