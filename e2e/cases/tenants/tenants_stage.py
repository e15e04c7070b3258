"""Two tenants of one gateway: whose model is served, and who would like to have it.

The innocent one's engine is the simulated vLLM; the thief's is a server that answers all and remembers what it is told.
Both are where their namespace's Service leads by an EndpointSlice, which the admin wrote: tenants may write none.
"""

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from modelpool_cluster import rest, waiting
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.rest import MERGE
from modelpool_under_test.processes import route_documents
from modelpool_under_test.processes.gateway_program import Gateway

Object = dict[str, Any]

MODEL: Final = "qwen3:8b"
ALIAS: Final = "qwen3"
SECRET: Final = "Bearer of-the-innocent-caller"
CREDENTIALS: Final = ("Authorization", "Cookie", "X-Api-Key", "Api-Key", "X-Forwarded-For")
PROMPT: Final = "what nobody else may read"
OWN: Final = "of-the-tenant"
"""A model that is the tenant's by right."""
ACCOUNT: Final = "tenant"


@dataclass(slots=True)
class Thief:
    """The tenant's engine."""

    address: str
    port: int
    asked: list[tuple[Object, str]] = field(default_factory=list)
    """Headers, by small names, and body of each request."""


@contextlib.contextmanager
def thief(address: str) -> Iterator[Thief]:
    """Run it."""
    asked: list[tuple[Object, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked.append(
                ({name.lower(): value for name, value in self.headers.items()}, self.rfile.read(length).decode())
            )
            body = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"mine"},"finish_reason":"stop"}]}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Set-Cookie", "session=mine")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 -- the names that the library calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
            """Keep quiet."""

    with ThreadingHTTPServer((address, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="thief", daemon=True)
        thread.start()
        try:
            yield Thief(address, server.server_port, asked)
        finally:
            server.shutdown()
            thread.join(10)


class Innocent:
    """A caller of the other's model, who asks again and again."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._stop = threading.Event()
        self.answers: list[str] = []
        """What each request came to: the status, or the error's name, and the pool that answered."""

    def ask(self, model: str = MODEL) -> str:
        """Ask once."""
        told = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 2}
        request = urllib.request.Request(
            f"http://{self._gateway.address}/v1/chat/completions",
            data=json.dumps(told).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": SECRET,
                "Cookie": SECRET,
                "X-Api-Key": SECRET,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
                assert "Set-Cookie" not in answer.headers
                return f"{answer.status} {answer.headers['X-ModelPool-Pool']}"
        except urllib.error.HTTPError as error:
            with error:
                return f"{error.code} {error.read(200)!r}"
        except OSError as error:
            return repr(error)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Ask all the while."""
        thread = threading.Thread(target=self._run, name="innocent caller", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(60)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.answers.append(self.ask())
            time.sleep(0.01)


@dataclass(slots=True, kw_only=True)
class Stage:
    """All that a way of theft needs."""

    cluster: Cluster
    gateway: Gateway
    tenant: rest.Api
    """The tenant's client: the role `edit` in his namespace, and nothing else."""
    mine: str
    """His namespace."""
    theirs: str
    thief: Thief
    innocent: Innocent
    pool: Object
    """The tenant's own, younger than the other's."""
    victim: Object
    rounds: int = 0

    @property
    def maps(self) -> str:
        """The path of the tenant's ConfigMaps."""
        return route_documents.config_maps(self.mine)

    @property
    def url(self) -> str:
        """Of the thief."""
        return f"http://{self.thief.address}:{self.thief.port}"

    def backend(self, **more: object) -> Object:
        """Return a backend that leads to the thief by his own Service."""
        return {"engine": "vllm", "model": MODEL, "service": "thief", "port": 8000, **more}

    def by_url(self) -> Object:
        """Return a backend that leads there by itself."""
        return {"engine": "vllm", "model": MODEL, "url": self.url}

    def content(self, *backends: Object, name: str = "mine", namespace: str = "", **more: object) -> dict[str, str]:
        """Return a document that claims the other's names, and one that is the tenant's by right."""
        claim = list(backends) or [self.backend()]
        own = [{**backend, "model": OWN} for backend in claim]
        models = [{"name": MODEL, "aliases": [ALIAS], "backends": claim}, {"name": OWN, "backends": own}]
        pool = {"namespace": namespace or self.mine, "name": name, **more}
        return {"routes.json": json.dumps({"version": 1, "pool": pool, "models": models})}

    def own(self, **more: object) -> Object:
        """Return the reference to the tenant's own pool."""
        return {**route_documents.owner_of(self.pool), **more}

    def write(self, owner: Object | None, content: dict[str, str], name: str = "mine-routes", **more: Any) -> None:
        """Let the tenant write a ConfigMap, in the place of one of that name."""
        self.tenant.delete(f"{self.maps}/{name}")
        self.tenant.create(self.maps, {**route_documents.config_map(owner, content, name=name), **more})

    def settled(self) -> Object:
        """Return the gateway's table by model, once it has seen what was written until now.

        ConfigMaps come in the order in which they were written: what comes last is the other's new alias.
        """
        self.rounds += 1
        sign = f"round-{self.rounds}"
        path = f"{route_documents.config_maps(self.theirs)}/{route_documents.MAP}"
        self.cluster.api.patch(path, {"data": route_documents.data(self.theirs, innocent_models(sign))}, MERGE)

        def seen() -> Object:
            self.gateway.program.assert_alive()
            found = self.gateway.models()
            return found if sign in found.get(MODEL, {}).get("aliases", ()) else {}

        return waiting.wait_for(f"{sign} in the table", seen)

    def owners(self) -> dict[str, str]:
        """Return whose each model is, by the gateway's table."""
        return {model["name"]: pool["pool"] for pool in self.gateway.view()["pools"] for model in pool["models"]}

    def loot(self) -> list[tuple[Object, str]]:
        """Return the thief's requests that were not meant for him."""
        return [one for one in self.thief.asked if SECRET in str(one) or (PROMPT in one[1] and OWN not in one[1])]


def innocent_models(alias: str) -> list[Object]:
    """Return the models of the pool whose they are."""
    backend = {"engine": "vllm", "service": "innocent", "port": 8000, "model": MODEL}
    return [{"name": MODEL, "aliases": [ALIAS, alias], "backends": [backend]}]


def tenant_of(cluster: Cluster, namespace: str) -> rest.Api:
    """Make an account with the cluster's role `edit` in one namespace, and return its client."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    cluster.api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    binding = {
        "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
    }
    cluster.api.create(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings", binding)
    return rest.Api(cluster.kubeconfig_for(namespace, ACCOUNT))


def younger(cluster: Cluster, tenant: rest.Api, namespace: str, victim: Object) -> Object:
    """Let the tenant make a pool in a later second than the other's: ages are told in seconds."""
    born = datetime.fromisoformat(victim["metadata"]["creationTimestamp"]).timestamp()
    waiting.wait_for("a later second", lambda: time.time() > born + 1.1)

    def made() -> Object | None:  # roles take a moment to be known
        try:
            return tenant.create(route_documents.pools(namespace), route_documents.manifest("mine"))
        except rest.ApiError as refused:
            if refused.status != 403:
                raise
            return None

    return waiting.wait_for("the tenant's pool", made)
