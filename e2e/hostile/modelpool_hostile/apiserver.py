"""A real API server with the chart's CRD, accounts and roles, and pools as the operator would write them.

All of it runs in a network namespace of its own, where one address beside loopback is at hand: EndpointSlices must not
name loopback, and nothing from outside can come in. `inside` says how a program gets there.
"""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from modelpool_cluster import waiting
from modelpool_cluster.binaries import Binaries
from modelpool_cluster.cluster import Cluster
from modelpool_cluster.opening import cluster_for
from modelpool_cluster.rest import ApiError
from modelpool_cluster.settings import current

ADDRESS: Final = "198.18.0.1"
"""Of the range for tests of network devices, and on the private loopback alone."""
HOME: Final = "hostile"
"""The namespace of the gateway and of the pools that are right."""
STRANGER: Final = "stranger"
"""A namespace of somebody who may write in it and nowhere else."""
_CHART: Final = Path(__file__).parents[3] / "charts" / "modelpool"
_TOOLS: Final = ("unshare", "ip", "sh")
_RIGHTS: Final = {
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
}
_CRD: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/modelpools.modelpool.dev"
_SET_UP: Final = f'ip link set lo up && ip addr add {ADDRESS}/32 dev lo && ip route add default dev lo && exec "$@"'

Object = dict[str, Any]


class NoApiServerError(Exception):
    """There can be none here; the message names what is missing."""


def inside(command: Sequence[str]) -> list[str]:
    """The command that runs another one where the API server can be. Raises NoApiServerError."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise NoApiServerError(f"these programs are missing: {', '.join(missing)}")
    tried = subprocess.run(
        ["unshare", "--net", "sh", "-c", _SET_UP, "sh", "true"], capture_output=True, text=True, timeout=30, check=False
    )
    if tried.returncode != 0:
        raise NoApiServerError(f"a network namespace, which takes root: {tried.stderr.strip()}")
    try:
        binaries = Binaries(current(), print)
        binaries.control_plane()
        binaries.helm()
    except Exception as wrong:  # what is missing is said in its message, whatever its kind
        raise NoApiServerError(f"the control plane's programs: {wrong}") from wrong
    return ["unshare", "--net", "sh", "-c", _SET_UP, "sh", *command]


class ApiServer:
    """What cases and worlds do with it. Each method waits for the API server in a thread."""

    def __init__(self, cluster: Cluster, account: str) -> None:
        self._cluster = cluster
        self._turn = asyncio.Lock()
        self.kubeconfig = cluster.kubeconfig_for(HOME, account)
        """With the rights of the gateway's ServiceAccount."""

    async def create(self, path: str, body: Mapping[str, Any]) -> Object:
        """Create an object. Raises ApiError."""
        async with self._turn:
            return await asyncio.to_thread(self._cluster.api.create, path, body)

    async def delete(self, path: str) -> None:
        """Delete an object. Raises ApiError."""
        async with self._turn:
            await asyncio.to_thread(self._cluster.api.delete, path)

    async def add_pool(self, namespace: str, name: str) -> Object:
        """Make a ModelPool, and return who owns what is made for it."""
        model = {"name": "m", "engine": "vllm", "source": "hf://Qwen/Qwen3-8B-AWQ", "gpuMemoryFraction": 0.4}
        spec = {"gpus": {"memory": "24Gi"}, "ollama": {"enabled": False}, "models": [model]}
        kind = {"apiVersion": "modelpool.dev/v1alpha1", "kind": "ModelPool"}
        made = await self.create(pools(namespace), {**kind, "metadata": {"name": name}, "spec": spec})
        return {**kind, "name": name, "uid": made["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}

    async def add_routes(self, namespace: str, name: str, text: str, owner: Object | None = None, **more: Any) -> None:
        """Make a ConfigMap that is labelled as routes. Raises ApiError."""
        labels = {"modelpool.dev/routes": "true"}
        metadata: Object = {"name": name, "labels": labels} | ({"ownerReferences": [owner]} if owner else {})
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"routes.json": text}} | more
        await self.create(config_maps(namespace), body)

    async def add_slice(self, namespace: str, service: str, port: int, **more: Any) -> None:
        """Make the EndpointSlice of a service with one ready endpoint. Raises ApiError."""
        metadata = {"name": f"{service}-1", "labels": {"kubernetes.io/service-name": service}}
        endpoints = [{"addresses": [ADDRESS], "conditions": {"ready": True}}]
        kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
        ports = [{"name": "http", "port": port}]
        await self.create(
            slices(namespace), {**kind, "metadata": metadata, "endpoints": endpoints, "ports": ports} | more
        )

    async def forget(self, namespace: str) -> None:
        """Delete every pool, ConfigMap and EndpointSlice of a namespace."""
        for path in (config_maps(namespace), slices(namespace), pools(namespace)):
            with contextlib.suppress(ApiError):
                await self.delete(path)


def config_maps(namespace: str) -> str:
    """Their path."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def slices(namespace: str) -> str:
    """The path of EndpointSlices."""
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


def pools(namespace: str) -> str:
    """The path of ModelPools."""
    return f"/apis/modelpool.dev/v1alpha1/namespaces/{namespace}/modelpools"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[ApiServer]:
    """Run a control plane with the chart's rights, and two namespaces."""
    settings = current()
    binaries = Binaries(settings, print)
    with cluster_for(settings, binaries, print) as cluster:
        for namespace in (HOME, STRANGER):
            cluster.add_namespace(namespace)
        account = _install(cluster, binaries.helm(), folder)
        yield ApiServer(cluster, account)


def _install(cluster: Cluster, helm: Path, folder: Path) -> str:
    """Apply the chart's CRD, accounts and roles, as for the pools of every namespace; the gateway's account."""
    told = [str(helm), "template", "modelpool", str(_CHART), f"--namespace={HOME}"]
    text = subprocess.run(told, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
                          timeout=60, check=True).stdout  # fmt: skip
    objects = [one for one in yaml.safe_load_all(text) if one and one["kind"] in _RIGHTS]
    for one in objects:
        cluster.apply(one)

    def established() -> bool:
        conditions = (cluster.api.get(_CRD).get("status") or {}).get("conditions") or ()
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    waiting.wait_for("the CRD", established)
    names = [str(one["metadata"]["name"]) for one in objects if one["kind"] == "ServiceAccount"]
    return next(name for name in names if name.endswith("gateway"))
