"""The clients that are no part of this environment: those of npm, and those that want packages of their own."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

import asked_clients
import client_environments
import pytest
from asked_clients import CLIENTS, HOLDS, Asked, Client
from client_faults import FAULTS, fault
from client_relay import Relay, relaying
from clients_pool import OLLAMA, VLLM, Models

from modelpool_sidecar.tests.gateway import processes
from modelpool_sidecar.tests.gateway.processes import Program

pytestmark = pytest.mark.clients

_LEFT_WITHIN = 10.0
_STAYS = 2.0
"""Seconds after which a client that is known to stay is believed to."""


@pytest.fixture(scope="module")
def relay(gate: Program) -> Iterator[Relay]:
    with relaying(gate.url) as found:
        yield found


class Keeper:
    """Has one program running, the one that was asked for last."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._program = ""
        self._asked: Asked | None = None

    def running(self, client: Client) -> Asked:
        if self._asked is None or client.program != self._program:
            self.end()
            self._asked, self._program = self._stack.enter_context(asked_clients.running(client)), client.program
        return self._asked

    def end(self) -> None:
        self._stack.close()
        self._asked = None


@pytest.fixture(scope="module")
def keeper() -> Iterator[Keeper]:
    if missing := client_environments.missing():
        said = f"no {missing} of the clients: `make test-clients` installs them"
        if os.environ.get("CI"):
            pytest.fail(said, pytrace=False)
        pytest.skip(said)
    found = Keeper()
    yield found
    found.end()


_CALLS = [
    pytest.param(client, models, call, id=f"{client.name.replace(' ', '')}-{models.engine}-{call}")
    for client in CLIENTS
    for models in (VLLM, OLLAMA)
    for call in client.calls
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("client", "asked_models", "call"), _CALLS)
def test_call(
    request: pytest.FixtureRequest,
    keeper: Keeper,
    gate: Program,
    relay: Relay,
    client: Client,
    asked_models: Models,
    call: str,
) -> None:
    request.node.user_properties.append(("client", client.name))
    known = fault(client.name, call, asked_models.engine)
    relay.taken()
    names = {name: getattr(asked_models, name) for name in ("thinks", "sees", "embeds", "endless")}
    try:
        HOLDS[call](keeper.running(client).call(client.way, call, relay.url, names))
        if call == "leaving":
            _until_nobody_works(gate, _STAYS if known else _LEFT_WITHIN)
    except Exception as error:
        request.node.user_properties.extend(("sent", line) for line in relay.taken())
        if call == "leaving" or isinstance(error, TimeoutError):
            keeper.end()  # what it still holds or has yet to say must not be counted to the next
        if known:
            pytest.xfail(known)
        raise
    assert not known, f"no longer a fault of the client: {known}"


def _until_nobody_works(gate: Program, within: float) -> None:
    """The caller has left: the gateway has no request at any engine any more, so no engine works for it."""
    ends = time.monotonic() + within
    while True:
        lines = processes.get(gate.url + "/metrics")[1].splitlines()
        busy = [line for line in lines if line.startswith("modelpool_gateway_in_flight{") and float(line.split()[-1])]
        if not busy:
            return
        assert time.monotonic() < ends, busy
        time.sleep(0.05)


def test_every_fault_is_of_a_call() -> None:
    made = {(client.name, call) for client in CLIENTS for call in client.calls}
    assert {(client, call) for client, call, _ in FAULTS} <= made
