"""What a test needs to know of the gateway's being compiled: functions and constants are built in then."""

import pytest

from modelpool_sidecar.http.server import server

patches_what_is_compiled = pytest.mark.skipif(
    not server.__file__.endswith(".py"), reason="what it patches is built in; it runs with the interpreted gateway"
)
