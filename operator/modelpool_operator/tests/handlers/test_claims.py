"""Who serves a name that two pools claim, and who else has to hear of it."""

from datetime import UTC, datetime, timedelta

from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.pool import ModelPool, PoolSpec
from modelpool_operator.handlers.claims import Claims

OLD, NEW, ODD = (ObjectRef("llm", name) for name in ("old", "new", "odd"))
FIRST = datetime(2026, 11, 22, tzinfo=UTC)


def pool(ref: ObjectRef, *models: str, created: datetime | None = FIRST, aliases: tuple[str, ...] = ()) -> ModelPool:
    made = tuple(Model(name=model, engine=Engine.OLLAMA, aliases=aliases) for model in models)
    return ModelPool(ref=ref, uid=ref.name, generation=1, created=created, spec=PoolSpec(models=made))


def test_the_older_pool_serves() -> None:
    claims = Claims()
    assert claims.put(pool(NEW, "qwen3:8b", created=FIRST + timedelta(seconds=1))) == frozenset()
    assert claims.put(pool(OLD, "qwen3:8b", "gemma3:4b")) == {NEW}
    assert claims.lost_by(NEW) == {"qwen3:8b": OLD}
    assert claims.lost_by(OLD) == {}


def test_aliases_are_names_too() -> None:
    claims = Claims()
    claims.put(pool(OLD, "qwen3:8b", aliases=("qwen3",)))
    claims.put(pool(NEW, "qwen3", created=FIRST + timedelta(days=1)))
    assert claims.lost_by(NEW) == {"qwen3": OLD}


def test_of_two_as_old_the_first_by_name_serves() -> None:
    claims = Claims()
    claims.put(pool(OLD, "a"))
    claims.put(pool(NEW, "a"))
    assert claims.lost_by(OLD) == {"a": NEW}


def test_the_loser_hears_when_the_winner_goes() -> None:
    claims = Claims()
    claims.put(pool(OLD, "a"))
    claims.put(pool(NEW, "a", created=FIRST + timedelta(days=1)))
    assert claims.drop(OLD) == {NEW}
    assert claims.lost_by(NEW) == {}


def test_nobody_hears_of_what_did_not_change() -> None:
    claims = Claims()
    claims.put(pool(OLD, "a"))
    claims.put(pool(NEW, "a", created=FIRST + timedelta(days=1)))
    assert claims.put(pool(OLD, "a")) == frozenset()


def test_a_pool_made_anew_is_young() -> None:
    claims = Claims()
    claims.put(pool(OLD, "a"))
    claims.put(pool(NEW, "a", created=FIRST + timedelta(days=1)))
    assert claims.put(pool(OLD, "a", created=FIRST + timedelta(days=2))) == {NEW}
    assert claims.lost_by(OLD) == {"a": NEW}


def test_a_name_given_up_is_free() -> None:
    claims = Claims()
    claims.put(pool(OLD, "a", "b"))
    claims.put(pool(NEW, "a", "c", created=FIRST + timedelta(days=1)))
    assert claims.put(pool(OLD, "b")) == {NEW}
    assert claims.lost_by(NEW) == {}
    assert claims.drop(ODD) == frozenset()
    assert len(claims) == 2
