"""The gateway as a process beside a cluster, with the rights of its ServiceAccount, asked as a person would."""

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from modelpool_cluster import waiting

from .installation import Installation
from .programs import Program, started


class Gateway:
    """A running gateway, asked as a person would."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.address = waiting.wait_for("the gateway's port", self._listening)

    def _listening(self) -> str:
        self.program.assert_alive()
        return next((str(line["listening"][0]) for line in self.program.lines() if "listening" in line), "")

    def view(self) -> dict[str, Any]:
        """Return its table as it shows it."""
        with urllib.request.urlopen(f"http://{self.address}/modelpool/routes", timeout=10) as answer:
            shown: dict[str, Any] = json.loads(answer.read())
            return shown

    def models(self) -> dict[str, dict[str, Any]]:
        """Return the models of its table by name."""
        return {model["name"]: model for pool in self.view()["pools"] for model in pool["models"]}

    def status(self, path: str) -> int:
        """Return the HTTP status of a page."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code

    def chat(self, model: str) -> int:
        """Ask a model for a few words, and return the HTTP status."""
        told = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
        request = urllib.request.Request(
            f"http://{self.address}/v1/chat/completions",
            data=json.dumps(told).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code


@contextlib.contextmanager
def running(installation: Installation) -> Iterator[Gateway]:
    """Run it in cluster mode for the namespaces of the installation; it must end well."""
    kubeconfig = installation.cluster.kubeconfig_for(installation.namespace, installation.account("gateway"))
    told = (
        f"--kubeconfig={kubeconfig}",
        *(() if installation.everywhere else (f"--namespace={installation.namespace}",)),
        *("--listen=127.0.0.1:0", "--drain-delay=0", "--shutdown-timeout=1"),
    )
    with started("modelpool_sidecar", *told, log=installation.folder / "gateway.log") as program:
        yield Gateway(program)
        program.stop()
