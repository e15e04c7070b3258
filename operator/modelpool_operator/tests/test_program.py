"""How the program's parts are told what they need. The whole of it runs in the cases against a real API server."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from modelpool_operator import program
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import connecting
from modelpool_operator.settings import Settings
from modelpool_operator.tests.cluster import api_server

POOL = ObjectRef("llm", "agentic")


def test_the_gateway_is_told_by_its_service() -> None:
    told = Settings(gateway_service="gw", gateway_namespace="system")
    found = program.gateway_of(told)(POOL)
    assert found is not None
    assert (found.openai, found.ollama) == ("http://gw.system.svc:8100/v1", "http://gw.system.svc:8100")
    beside = program.gateway_of(dataclasses.replace(told, gateway_namespace=None))(POOL)
    assert beside is not None
    assert beside.ollama == "http://gw.llm.svc:8100"
    assert program.gateway_of(Settings())(POOL) is None


async def test_kopf_logs_in_as_the_client_does(tmp_path: Path) -> None:
    kubeconfig = api_server.kubeconfig_of(api_server.ApiServer(url="http://127.0.0.1:1"), tmp_path)
    info = program.connection(await connecting.configuration(kubeconfig))
    assert (info.server, info.scheme, info.token) == ("http://127.0.0.1:1", "Bearer", "secret")
    assert not info.insecure


def run(*arguments: str) -> tuple[int, str]:
    """Return the program's exit status and the message of its last record."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "modelpool_operator", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, json.loads(done.stderr.splitlines()[-1])["message"]


def test_without_credentials_the_program_says_so_and_ends() -> None:
    assert run() == (2, "No credentials for a cluster: give --kubeconfig, or run in a Pod")


def test_a_port_that_is_taken_ends_the_program_in_plain_words(tmp_path: Path) -> None:
    kubeconfig = api_server.kubeconfig_of(api_server.ApiServer(url="http://127.0.0.1:1"), tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"--health-address=127.0.0.1:{taken.getsockname()[1]}"
        assert run(f"--kubeconfig={kubeconfig}", address) == (1, "Could not listen")
