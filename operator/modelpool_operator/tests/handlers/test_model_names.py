"""Who serves a name that two pools claim, and who else has to hear of it."""

from datetime import UTC, datetime, timedelta

from modelpool_operator.api.names import ObjectRef
from modelpool_operator.handlers.model_names import ModelNames
from modelpool_operator.planning.manifests.routes import Entry

OLD, NEW, ODD = (ObjectRef("llm", name) for name in ("old", "new", "odd"))
FIRST = datetime(2026, 11, 22, tzinfo=UTC)


class Told(ModelNames):
    """ModelNames, told of pools."""

    def tell(
        self, ref: ObjectRef, *models: str, created: datetime | None = FIRST, aliases: tuple[str, ...] = ()
    ) -> frozenset[ObjectRef]:
        return self.put(ref, created, tuple(Entry(model, aliases) for model in models))


def test_the_older_pool_serves() -> None:
    claims = Told()
    assert claims.tell(NEW, "qwen3:8b", created=FIRST + timedelta(seconds=1)) == frozenset()
    assert claims.tell(OLD, "qwen3:8b", "gemma3:4b") == {NEW}
    assert claims.lost_by(NEW) == {"qwen3:8b": OLD}
    assert claims.lost_by(OLD) == {}


def test_aliases_are_names_too() -> None:
    claims = Told()
    claims.tell(OLD, "qwen3:8b", aliases=("qwen3",))
    claims.tell(NEW, "qwen3", created=FIRST + timedelta(days=1))
    assert claims.lost_by(NEW) == {"qwen3": OLD}


def test_of_two_as_old_the_first_by_name_serves() -> None:
    claims = Told()
    claims.tell(OLD, "a")
    claims.tell(NEW, "a")
    assert claims.lost_by(OLD) == {"a": NEW}


def test_the_loser_hears_when_the_winner_goes() -> None:
    claims = Told()
    claims.tell(OLD, "a")
    claims.tell(NEW, "a", created=FIRST + timedelta(days=1))
    assert claims.drop(OLD) == {NEW}
    assert claims.lost_by(NEW) == {}


def test_nobody_hears_of_what_did_not_change() -> None:
    claims = Told()
    claims.tell(OLD, "a")
    claims.tell(NEW, "a", created=FIRST + timedelta(days=1))
    assert claims.tell(OLD, "a") == frozenset()


def test_a_pool_made_anew_is_young() -> None:
    claims = Told()
    claims.tell(OLD, "a")
    claims.tell(NEW, "a", created=FIRST + timedelta(days=1))
    assert claims.tell(OLD, "a", created=FIRST + timedelta(days=2)) == {NEW}
    assert claims.lost_by(OLD) == {"a": NEW}


def test_a_name_given_up_is_free() -> None:
    claims = Told()
    claims.tell(OLD, "a", "b")
    claims.tell(NEW, "a", "c", created=FIRST + timedelta(days=1))
    assert claims.tell(OLD, "b") == {NEW}
    assert claims.lost_by(NEW) == {}
    assert claims.drop(ODD) == frozenset()
    assert len(claims) == 2


def test_names_are_claimed_whatever_their_case_and_tag() -> None:
    claims = Told()
    claims.tell(OLD, "Library/Qwen3:latest")
    claims.tell(NEW, "qwen3", created=FIRST + timedelta(days=1))
    assert claims.lost_by(NEW) == {"qwen3": OLD}


def test_a_model_whose_name_is_taken_claims_none_of_its_aliases() -> None:
    claims = Told()
    claims.tell(OLD, "a")
    claims.tell(NEW, "a", created=FIRST + timedelta(days=1), aliases=("b",))
    claims.tell(ODD, "b", created=FIRST + timedelta(days=2))
    assert claims.lost_by(ODD) == {}
    assert claims.drop(OLD) == {NEW, ODD}
    assert claims.lost_by(ODD) == {"b": NEW}
