"""The access log's times."""

import datetime
import io

from modelpool_sidecar.telemetry.access_log import AccessLog


def test_times_are_written_to_the_millisecond() -> None:
    log = AccessLog(io.StringIO(), json=True)
    for millisecond in (0, 7, 999, 1000, 1_795_000_000_050, 1_795_000_000_999, 1_795_000_001_000, 1_795_000_000_100):
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(milliseconds=millisecond)
        want = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert log._written(millisecond) == want
