"""Ready is who has seen every pool on the watch."""

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.handlers.readiness import Readiness

A, B = ObjectRef("llm", "a"), ObjectRef("llm", "b")


def test_not_before_the_list() -> None:
    readiness = Readiness()
    readiness.seen(A)
    assert readiness.problem() == "the ModelPools are not listed yet"


def test_a_cluster_without_pools_is_known() -> None:
    readiness = Readiness()
    readiness.listed([])
    assert readiness.problem() is None


def test_every_listed_pool_must_come_by_before_or_after_the_list() -> None:
    readiness = Readiness()
    readiness.seen(A)
    readiness.listed([A, B])
    assert readiness.problem() == "1 ModelPools have not come by on the watch"
    readiness.seen(B)
    assert readiness.problem() is None
