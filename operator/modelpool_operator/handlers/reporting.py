"""Writing a pool's status: what a pass found, or why it failed, as often as may be written."""

import logging
from collections.abc import Callable
from datetime import datetime

from modelpool_operator.api import parsing
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.api.status import PoolStatus
from modelpool_operator.cluster import errors, kinds
from modelpool_operator.cluster.client import Client, Object
from modelpool_operator.cluster.mirror import ref_of
from modelpool_operator.cluster.recorder import News, Recorder, news_between
from modelpool_operator.cluster.report import report
from modelpool_operator.handlers.failing import Failure, failure_of
from modelpool_operator.handlers.write_histories import WriteHistories
from modelpool_operator.planning.reporting import status as statuses

logger = logging.getLogger(__name__)


class Reporting:
    """Tells of pools in their statuses and in Events. One per operator."""

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        histories: WriteHistories,
        *,
        now: Callable[[], datetime],
        on_status: Callable[[str, PoolStatus], None],
    ) -> None:
        """`on_status` is called with the UID of a pool and each status that it is to have."""
        self._client = client
        self._recorder = recorder
        self._histories = histories
        self._now = now
        self._on_status = on_status

    async def tell(self, body: Object, previous: PoolStatus | None, status: PoolStatus) -> None:
        """Write the status, if it says something new and may be written now."""
        history = self._histories.of(ref_of(body))
        if not history.may_tell(status):
            return
        self._on_status(body["metadata"]["uid"], status)
        if not await report(self._client, body, status):
            return
        if (overwritten := history.told(status)) is not None:
            await self._recorder.post(body, News(reason="StatusOverwritten", message=overwritten))
        for news in news_between(previous, status):
            await self._recorder.post(body, news)

    async def failed(self, ref: ObjectRef, error: Exception, *, lasting: bool = False) -> None:
        """Say in the status why a pass failed, whatever the pass has said before. If that fails too, the log has it."""
        failure = failure_of(error)
        try:
            body = await self._client.get(kinds.POOLS, ref)
            self._histories.of(ref).look(body, self._now())
            await self.tell_failure(body, failure._replace(passing=failure.passing and not lasting))
        except errors.ClusterError as exc:
            logger.debug("Could not tell the pool of a failure", extra={"error": str(exc)})

    async def tell_failure(self, body: Object, failure: Failure) -> None:
        """Say in the status why nothing is done."""
        previous = parsing.status_of(body)
        status = statuses.assess_failed(
            generation=body["metadata"]["generation"],
            reason=failure.reason,
            message=failure.message,
            passing=failure.passing,
            previous=previous,
            now=self._now(),
            fights=self._histories.of(ref_of(body)).fights,
        )
        await self.tell(body, previous, status)
