"""Events: what is news, and what is held back."""

from datetime import UTC, datetime, timedelta
from typing import Any

from modelpool_operator.api.status import Condition, ConditionStatus, ModelState, ModelStatus, PoolStatus
from modelpool_operator.cluster import recorder
from modelpool_operator.cluster.client import Client
from modelpool_operator.cluster.recorder import News, Recorder, news_between
from modelpool_operator.tests.cluster.api_server import ApiServer

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
BODY: dict[str, Any] = {"metadata": {"namespace": "llm", "name": "agentic", "uid": "u"}}


def status(planned: str = "", *models: tuple[ModelState, str]) -> PoolStatus:
    condition = Condition(
        type="Planned",
        status=ConditionStatus.FALSE if planned else ConditionStatus.TRUE,
        reason="DoesNotFit" if planned else "Planned",
        message=planned,
        observed_generation=1,
        last_transition_time=NOW,
    )
    made = tuple(
        ModelStatus(name=f"m{number}", engine="vllm", state=state, reason=reason)
        for number, (state, reason) in enumerate(models)
    )
    return PoolStatus(observed_generation=1, conditions=(condition,), models=made)


def reasons(previous: PoolStatus | None, current: PoolStatus) -> list[tuple[str, str]]:
    return [(news.reason, news.about) for news in news_between(previous, current)]


def test_a_refusal_is_news_once_and_again_when_its_numbers_change() -> None:
    assert reasons(None, status("too big")) == [("DoesNotFit", "")]
    assert reasons(status(), status("too big")) == [("DoesNotFit", "")]
    assert reasons(status("too big"), status("too big")) == []
    assert reasons(status("too big"), status("far too big")) == [("DoesNotFit", "")]
    assert reasons(status("too big"), status()) == []


def test_trouble_of_a_model_is_news_and_its_ordinary_life_is_not() -> None:
    pulling, crashed = (ModelState.FAILED, "ImagePullBackOff"), (ModelState.FAILED, "CrashLoopBackOff")
    ready, nowhere = (ModelState.READY, ""), (ModelState.UNSCHEDULABLE, "Unschedulable")
    assert reasons(None, status("", ready)) == []
    assert reasons(status("", ready), status("", pulling)) == [("ImagePullBackOff", "m0")]
    assert reasons(status("", pulling), status("", pulling)) == []
    assert reasons(status("", pulling), status("", crashed)) == [("CrashLoopBackOff", "m0")]
    assert reasons(status(""), status("", ready, nowhere)) == []
    assert reasons(status("", crashed), status("", (ModelState.LOADING, ""))) == []


def test_a_fallback_does_not_hide_that_the_engine_failed() -> None:
    helped, starting = (ModelState.FALLBACK, "CrashLoopBackOff"), (ModelState.FALLBACK, "Loading")
    assert reasons(status("", starting), status("", helped)) == [("CrashLoopBackOff", "m0")]
    assert reasons(status("", (ModelState.FAILED, "CrashLoopBackOff")), status("", helped)) == []
    assert reasons(status("", helped), status("", starting)) == []


class Clock:
    """A wall clock that a test sets."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


async def test_an_event_is_about_its_pool(server: ApiServer, client: Client) -> None:
    await Recorder(client, now=Clock(), reporter="host").post(BODY, News(reason="DoesNotFit", message="m" * 5000))
    (request,) = server.requests
    event = request.body
    assert (request.verb, request.path) == ("POST", "/api/v1/namespaces/llm/events")
    assert (event["type"], event["reason"], len(event["message"])) == ("Warning", "DoesNotFit", 1000)
    assert event["involvedObject"]["uid"] == "u"
    assert event["firstTimestamp"] == "2026-11-22T10:00:00Z"


async def test_what_flaps_is_held_back_for_a_while(server: ApiServer, client: Client) -> None:
    clock = Clock()
    posting = Recorder(client, now=clock, reporter="host")
    crash, other = News(reason="CrashLoopBackOff", message="a", about="m"), News(reason="DoesNotFit", message="b")
    for news in (crash, other, crash, crash):
        await posting.post(BODY, news)
    assert len(server.requests) == 2
    clock.now = NOW + recorder.QUIET - timedelta(seconds=1)
    await posting.post(BODY, crash)
    assert len(server.requests) == 2
    clock.now = NOW + recorder.QUIET
    await posting.post(BODY, crash)
    assert len(server.requests) == 3


async def test_what_is_remembered_is_bounded(client: Client) -> None:
    posting = Recorder(client, now=Clock(), reporter="host")
    posting._posted = {("u", str(number), ""): NOW for number in range(recorder._REMEMBERED)}
    await posting.post(BODY, News(reason="New", message=""))
    assert len(posting._posted) == recorder._REMEMBERED
    assert ("u", "0", "") not in posting._posted


async def test_an_event_that_cannot_be_posted_stops_nothing(server: ApiServer, client: Client) -> None:
    server.refuse("POST", "/api/v1/namespaces/llm/events", 403)
    await Recorder(client, now=Clock(), reporter="host").post(BODY, News(reason="DoesNotFit", message=""))
