"""Admission webhooks of a test's own: a server on loopback, and the configurations that have the API server ask it."""

import base64
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import trustme

from modelpool_cluster.cluster import Cluster
from modelpool_cluster.controlplane.ports import free_port

Object = dict[str, Any]

HANGS: Final = 10
"""Seconds that the API server waits for a webhook, which is its default."""
REGISTRY: Final = "registry.example.com"
_CONFIGURATIONS: Final = "/apis/admissionregistration.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Webhook:
    """What admission does in one namespace."""

    kind: str
    """`rewrite`, `ttl`, `deny`, `hang` or `down`."""
    resource: str = "deployments"

    @property
    def mutates(self) -> bool:
        """Whether it changes objects."""
        return self.kind in ("rewrite", "ttl")


@contextlib.contextmanager
def webhooks(cluster: Cluster, folder: Path, wanted: dict[str, Webhook]) -> Iterator[None]:
    """Have webhooks asked for what happens in some namespaces, each by its own, while the context lasts."""
    authority = trustme.CA()
    bundle = base64.b64encode(authority.cert_pem.bytes()).decode()
    paths = []
    with _server(authority, folder) as port:
        ports = {"down": free_port()}
        for namespace, hook in wanted.items():
            kind = "mutatingwebhookconfigurations" if hook.mutates else "validatingwebhookconfigurations"
            url = f"https://127.0.0.1:{ports.get(hook.kind, port)}/{hook.kind}"
            cluster.api.create(f"{_CONFIGURATIONS}/{kind}", _configuration(namespace, hook, url, bundle))
            paths.append(f"{_CONFIGURATIONS}/{kind}/{namespace}")
        try:
            yield
        finally:
            for path in paths:
                cluster.api.delete(path)


def name_of(hook: Webhook) -> str:
    """Return what the API server calls a webhook."""
    return f"{hook.kind}.policy.example.com"


def _configuration(namespace: str, hook: Webhook, url: str, bundle: str) -> Object:
    group = "batch" if hook.resource == "jobs" else "apps"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration" if hook.mutates else "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": name_of(hook),
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": url, "caBundle": bundle},
                "failurePolicy": "Fail",
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [
                    {
                        "apiGroups": [group],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": [hook.resource],
                    }
                ],
                "sideEffects": "None",
                "timeoutSeconds": HANGS,
            }
        ],
    }


@contextlib.contextmanager
def _server(authority: trustme.CA, folder: Path) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that the library calls
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kind = self.path.split("?")[0].strip("/")
            if kind == "hang":
                time.sleep(HANGS + 1)
            response = {"uid": review["request"]["uid"], **_decide(kind, review["request"]["object"])}
            answer = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})
            with contextlib.suppress(OSError):  # who waited has left
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
            """Keep quiet."""

    pair = folder / "webhook.pem"
    certificate = authority.issue_cert("127.0.0.1")
    pair.write_bytes(
        b"".join([certificate.private_key_pem.bytes(), *(one.bytes() for one in certificate.cert_chain_pems)])
    )
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, name="webhooks", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(10)


def _decide(kind: str, thing: Object) -> Object:
    if kind == "deny":
        return {"allowed": False, "status": {"code": 403, "message": "engines need a cost centre"}}
    patch = []
    if kind == "rewrite":
        for place, container in enumerate(thing["spec"]["template"]["spec"]["containers"]):
            path = f"/spec/template/spec/containers/{place}"
            if not container["image"].startswith(REGISTRY):
                patch.append({"op": "replace", "path": f"{path}/image", "value": f"{REGISTRY}/{container['image']}"})
            resources = container.get("resources") or {}
            asked = {**resources, "requests": {**(resources.get("requests") or {}), "cpu": "10m"}}
            patch.append({"op": "add", "path": f"{path}/resources", "value": asked})
    if kind == "ttl":
        patch.append({"op": "add", "path": "/spec/ttlSecondsAfterFinished", "value": 0})
    encoded = base64.b64encode(json.dumps(patch).encode()).decode()
    return {"allowed": True, **({"patchType": "JSONPatch", "patch": encoded} if patch else {})}
