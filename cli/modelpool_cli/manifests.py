"""ModelPools from a file of YAML documents, as `kubectl apply -f` would find them."""

from pathlib import Path

import yaml

from modelpool_operator.api import names, parsing
from modelpool_operator.api.pool import ModelPool


class BadFileError(Exception):
    """The file cannot be read as ModelPools. The text names the file and what is wrong, for the user."""


def read_pools(path: Path) -> tuple[ModelPool, ...]:
    """Return the ModelPools of a file, in order; documents of other kinds are passed over.

    Raises:
        BadFileError: the file is not there, is no YAML, holds no ModelPool, or one of them is invalid.
    """
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as exc:
        raise BadFileError(f"{path}: {exc.strerror if isinstance(exc, OSError) else exc}") from exc
    except yaml.YAMLError as exc:
        raise BadFileError(f"{path}: no valid YAML: {exc}") from exc
    bodies = [document for document in documents if isinstance(document, dict) and document.get("kind") == names.KIND]
    if not bodies:
        raise BadFileError(f"{path}: must hold a {names.KIND}, found none")
    try:
        return tuple(parsing.from_body(body) for body in bodies)
    except parsing.InvalidPoolError as exc:
        raise BadFileError(f"{path}: {exc}") from exc


def read_pool(path: Path) -> ModelPool:
    """Return the one ModelPool of a file.

    Raises:
        BadFileError: as `read_pools`, or the file holds several.
    """
    pools = read_pools(path)
    if len(pools) > 1:
        raise BadFileError(f"{path}: must hold one {names.KIND}, found {', '.join(pool.ref.name for pool in pools)}")
    return pools[0]
