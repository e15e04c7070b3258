"""kopf is told that there is nothing to compare, whatever an object holds."""

import kopf

from modelpool_operator.handlers import kopf_storage, lifecycle


def test_nothing_of_an_object_is_copied_or_kept() -> None:
    settings = kopf.OperatorSettings()
    lifecycle.configure(settings)
    storage, progress = settings.persistence.diffbase_storage, settings.persistence.progress_storage
    assert isinstance(storage, kopf_storage.NoDiffBase)
    assert isinstance(progress, kopf_storage.NoProgress)
    body = kopf.Body({"metadata": {"name": "x", "labels": {"a": "b"}}, "spec": {"replicas": 1}})
    patch = kopf.Patch()
    assert storage.build(body=body) == {}
    assert storage.fetch(body=body) is None
    storage.store(body=body, patch=patch, essence=kopf.BodyEssence())
    progress.touch(body=body, patch=patch, value="now")
    assert not patch
