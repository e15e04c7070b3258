"""Jobs: one per model that Ollama must hold. A Job cannot change, so its name says which volume it filled."""

from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines import ollama
from modelpool_operator.planning.manifests import Manifest, metadata, selector_labels

PULL_RETRIES: Final = 6


def pull_job(pool: ModelPool, model: str, volume_uid: str) -> Manifest:
    """Return the Job that pulls `model` into the Ollama volume with this uid.

    A finished Job stays as the record that the model is there: nothing pulls again until the volume is another one.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(
            pool,
            names.pull_name(pool.ref.name, model, volume_uid),
            selector_labels(pool, names.PULL_COMPONENT),
            {names.MODEL_ANNOTATION: model},
        ),
        "spec": {"backoffLimit": PULL_RETRIES, "template": ollama.pull_template(pool, model)},
    }
