"""How the program's parts are told what they need. The whole of it runs in the cases against a real API server."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

from modelpool_operator import program
from modelpool_operator.api.names import ObjectRef
from modelpool_operator.cluster import client as clients
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
    info = program.connection(await clients.configuration(kubeconfig))
    assert (info.server, info.scheme, info.token) == ("http://127.0.0.1:1", "Bearer", "secret")
    assert not info.insecure


def test_without_credentials_the_program_says_so_and_ends() -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "modelpool_operator"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    last = json.loads(done.stderr.splitlines()[-1])
    assert last["message"] == "No credentials for a cluster: give --kubeconfig, or run in a Pod"
