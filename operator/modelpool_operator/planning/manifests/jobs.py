"""Jobs: one per model that Ollama must hold. A Job cannot change, so its name says which volume it filled."""

from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.ollama import models as ollama
from modelpool_operator.planning.objects.identity import Manifest, metadata, selector_labels

RETRIES: Final = 2**31 - 1
"""Without end: the kubelet waits longer and longer between two tries, up to five minutes, and Ollama goes on where it
stopped."""

REMOVE: Final = """\
set -eu
found=$(ollama list)
case "
$found" in
*"
$1"[[:space:]]*) ollama rm "$1" ;;
*) echo "$1 is not there" ;;
esac
"""
"""Of a removal that may be repeated: a model that is not there is no failure, a server that does not answer is one."""


def pull_job(pool: ModelPool, model: str, volume_uid: str) -> Manifest:
    """Return the Job that pulls `model` into the Ollama volume with this uid.

    A finished Job stays as the record that the model is there: nothing pulls again until the volume is another one.
    """
    name = names.pull_name(pool.ref.name, model, volume_uid)
    return _job(pool, model, name, names.PULL_COMPONENT, ["ollama", "pull", model])


def remove_job(pool: ModelPool, model: str, volume_uid: str) -> Manifest:
    """Return the Job that removes `model` from the Ollama volume with this uid. It goes with the record of the pull."""
    name = names.remove_name(pool.ref.name, model, volume_uid)
    return _job(pool, model, name, names.REMOVE_COMPONENT, ["sh", "-c", REMOVE, "remove", ollama.tagged(model)])


def _job(pool: ModelPool, model: str, name: str, component: str, command: list[str]) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(pool, name, selector_labels(pool, component), {names.MODEL_ANNOTATION: model}),
        "spec": {"backoffLimit": RETRIES, "template": ollama.client_template(pool, model, component, command)},
    }
