"""The chart, installed by a real helm on a real node, and its gateway, asked over its ClusterIP. Knows no pool."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modelpool_cluster import waiting
from modelpool_cluster.node.cluster import NodeCluster

from .. import images

ROOT: Final = Path(__file__).parents[4]
CHART: Final = ROOT / "charts" / "modelpool"
NAMESPACE: Final = "modelpool-system"
NAME: Final = "modelpool"
GATEWAY: Final = "modelpool-gateway"
REQUEST_SECONDS: Final = 60

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the gateway said."""

    status: int
    body: Object
    headers: Mapping[str, str]

    @property
    def route(self) -> str:
        """`primary`, `fallback` or `retry`; empty for a refusal."""
        return self.headers.get("X-ModelPool-Route", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The chart's release in its namespace."""

    cluster: NodeCluster
    home: Path
    """helm's own."""

    def helm(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        """Run helm as admin. Raises CalledProcessError, with what it said in `stderr`."""
        command = [str(self.cluster.binaries.helm()), *arguments, f"--namespace={NAMESPACE}"]
        if values is not None:
            command.append("--values=-")
        done = subprocess.run(
            [*command, f"--kubeconfig={self.cluster.kubeconfig}"],
            input=json.dumps(values),  # JSON is YAML
            env={"PATH": os.defpath, "HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    def install(self, **changes: Any) -> None:
        """Install or upgrade with the images under test, and wait as a user would: `--wait`.

        In a namespace that admits only pods of the Pod Security Standard `restricted`.
        """
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
        flags = ["--wait", "--timeout=180s"]
        self.helm("upgrade", "--install", NAME, str(CHART), *flags, values={**values(), **changes})

    def remove(self) -> None:
        """Uninstall it, and take away what it keeps and its namespace."""
        self.helm("uninstall", NAME, "--wait", "--timeout=120s")
        self.cluster.kubectl("delete", "customresourcedefinition", "modelpools.modelpool.dev")
        self.cluster.remove_namespace(NAMESPACE)

    @property
    def address(self) -> str:
        """The gateway's ClusterIP."""
        service = self.cluster.api.get(f"/api/v1/namespaces/{NAMESPACE}/services/{GATEWAY}")
        return str(service["spec"]["clusterIP"])

    def ask(self, path: str, body: Object | None = None, *, port: int = 8100) -> Answer:
        """Send a request to the Service, from the node; an error's answer is an answer."""
        request = urllib.request.Request(
            f"http://{self.address}:{port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
                return Answer(status=answer.status, body=_document(answer.read()), headers=dict(answer.headers))
        except urllib.error.HTTPError as exc:
            with exc:
                return Answer(status=exc.code, body=_document(exc.read()), headers=dict(exc.headers))

    def chat(self, model: str, *, text: str = "Say hello") -> Answer:
        """Ask over OpenAI's API."""
        return self.ask("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": text}]})

    def ollama_chat(self, model: str, *, text: str = "Say hello") -> Answer:
        """Ask over Ollama's API, at Ollama's port."""
        body = {"model": model, "stream": False, "messages": [{"role": "user", "content": text}]}
        return self.ask("/api/chat", body, port=11434)

    def wait_for_route(self, model: str, route: str, *, timeout: float = 120) -> None:
        """Wait until a model is served over a route."""

        def look() -> bool:
            answer = self.chat(model)
            assert (answer.status, answer.route) == (200, route), answer
            return True

        waiting.wait_for(f"{model} over {route}", look, timeout=timeout)


def values() -> dict[str, Any]:
    """Return values for the images under test. Nothing may be pulled: there is no registry to ask."""

    def image(target: str) -> Object:
        repository, _, tag = images.Images.name(target).rpartition(":")
        return {"repository": repository, "tag": tag, "pullPolicy": "Never"}

    return {
        "operator": {"image": image("operator")},
        "gateway": {
            "image": image("sidecar"),
            "drainDelaySeconds": 2,
            "shutdownTimeoutSeconds": 20,
            # Its share of a machine where engines, clients and the control plane want both processors.
            "resources": {"requests": {"cpu": "500m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        },
    }


def _document(content: bytes) -> Object:
    try:
        found = json.loads(content)
    except json.JSONDecodeError:
        return {"text": content.decode(errors="replace")}
    return dict(found) if isinstance(found, dict) else {"value": found}
