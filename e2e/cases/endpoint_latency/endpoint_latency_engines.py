"""Engines in bare pods, whose readiness the test decides: the kubelet's probes ask a board that the test holds.

Real pods, a real kubelet and a real endpoint controller; only the ModelPool is left out, for its probes are slow by
design and its engines start one after the other. The gateway learns of a service by a routes document, as from the
operator. Knows no measurement.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from modelpool_cluster.node import addresses
from modelpool_cluster.node.cluster import NodeCluster
from modelpool_under_test.images import Images

PORT: Final = 8000
LEAVE_SECONDS: Final = 2
"""How long an engine that is told to end serves on, as the operator's do: the gateway must have heard by then."""

Object = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Board:
    """What the kubelet is told of each pod, and since when."""

    ready: dict[str, bool] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    """When the kubelet was first told what it is told now; wall clock, in seconds."""
    port: int = 0

    def set(self, pod: str, ready: bool) -> None:
        """Tell the kubelet this from its next probe on."""
        self.ready[pod] = ready
        self.told.pop(pod, None)

    async def start(self) -> web.AppRunner:
        """Serve on the node's address; the caller cleans up."""
        app = web.Application()
        app.router.add_get("/{pod}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, addresses.ADDRESS, 0).start()
        self.port = runner.addresses[0][1]
        return runner

    async def _answer(self, request: web.Request) -> web.Response:
        pod = request.match_info["pod"]
        self.told.setdefault(pod, time.time())
        return web.Response(status=200 if self.ready.get(pod) else 503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The pods of a model and their service, both with its name."""

    cluster: NodeCluster
    namespace: str
    model: str
    board: Board

    def add_service(self) -> None:
        """Make the service of the pods."""
        spec = {"selector": {"engine": self.model}, "ports": [{"port": PORT, "name": "http"}]}
        path = f"/api/v1/namespaces/{self.namespace}/services"
        self.cluster.api.create(path, {"metadata": {"name": self.model}, "spec": spec})

    def add(self, pod: str, *, cpu: str) -> None:
        """Make a pod that will be ready, with so much of the processor when others want it, too."""
        self.board.set(pod, True)
        self.cluster.api.create(self._pods, self._manifest(pod, cpu))

    def delete(self, pod: str) -> None:
        """Delete a pod as a user does."""
        self.cluster.api.delete(f"{self._pods}/{pod}")

    def address(self, pod: str) -> str:
        """Return a pod's URL; empty while it has none."""
        found = self.cluster.api.get(f"{self._pods}/{pod}")["status"].get("podIP", "")
        return f"http://{found}:{PORT}" if found else ""

    def routes(self) -> Object:
        """Return the part of a routes document about this model."""
        backend = {"engine": "vllm", "service": self.model, "port": PORT, "model": self.model}
        return {"name": self.model, "aliases": [], "backends": [backend]}

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def _manifest(self, pod: str, cpu: str) -> Object:
        asks = {"host": addresses.ADDRESS, "port": self.board.port, "path": f"/{pod}"}
        container = {
            "name": "engine",
            "image": Images.name("engines"),
            "imagePullPolicy": "Never",
            "command": ["vllm", "serve", self.model, f"--port={PORT}", f"--served-model-name={self.model}"],
            "env": [{"name": "FAKE_VLLM_LOAD_SECONDS", "value": "0"}],
            "lifecycle": {"preStop": {"sleep": {"seconds": LEAVE_SECONDS}}},
            "resources": {"requests": {"cpu": cpu}},
            # Both: an engine that nobody answers for yet is not ready, whatever the board says.
            "startupProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "failureThreshold": 60},
            "readinessProbe": {"httpGet": asks, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 5},
        }
        spec = {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": LEAVE_SECONDS + 5,
            "containers": [container],
        }
        return {"metadata": {"name": pod, "labels": {"engine": self.model}}, "spec": spec}
