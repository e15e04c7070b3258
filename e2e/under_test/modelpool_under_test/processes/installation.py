"""The operator and the gateway as processes beside a cluster, with the rights that the chart gives them and no others.

The chart is rendered by a real helm; its CRD, ServiceAccounts and roles are applied by the admin; the programs then log
in with tokens of those ServiceAccounts. Knows the chart and the programs' command lines; knows no test.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from modelpool_cluster import waiting
from modelpool_cluster.cluster import Cluster

from .operator_program import Operator
from .programs import Object, started

ROOT: Final = Path(__file__).parents[4]
CHART: Final = ROOT / "charts" / "modelpool"
EXAMPLES: Final = ROOT / "examples"
RELEASE: Final = "modelpool"

GATEWAYS: Final = "gateways"
"""The namespace in which gateways would be."""
RELEASE_KEY: Final = f"{RELEASE}-engine-key"
"""The Secret that the chart's role lets the operator read."""

RENDERED: Final = "rendered-namespace"
APPLY: Final = "application/apply-patch+yaml"

_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_PATHS: Final = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Role": f"{_RBAC}/namespaces/{{}}/roles",
    "RoleBinding": f"{_RBAC}/namespaces/{{}}/rolebindings",
    "ClusterRole": f"{_RBAC}/clusterroles",
    "ClusterRoleBinding": f"{_RBAC}/clusterrolebindings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The chart's accounts and roles in a namespace, and the programs that use them."""

    cluster: Cluster
    namespace: str
    folder: Path
    """For logs."""
    objects: tuple[Object, ...]
    everywhere: bool = False
    """Whether the programs serve every namespace, as the chart has it by default, and not only their own."""

    def account(self, component: str) -> str:
        """Return the name of a component's ServiceAccount."""
        names: list[str] = [one["metadata"]["name"] for one in self.objects if one["kind"] == "ServiceAccount"]
        return next(name for name in names if name.endswith(component))

    @property
    def told(self) -> tuple[str, ...]:
        """What the chart tells the operator of its gateways and of the release key."""
        return (
            *(f"--gateway-service={RELEASE}-gateway", f"--gateway-namespace={GATEWAYS}"),
            f"--engine-key-secret={self.namespace}/{RELEASE_KEY}",
        )

    @contextlib.contextmanager
    def operator(self, *arguments: str) -> Iterator[Operator]:
        """Run the operator until ready; it must end well, and must have met no bug."""
        account = self.account("operator")
        log = self.folder / f"operator-{len(list(self.folder.iterdir()))}.log"
        told = [
            f"--kubeconfig={self.cluster.kubeconfig_for(self.namespace, account)}",
            *(() if self.everywhere else (f"--namespace={self.namespace}",)),
            *("--health-address=127.0.0.1:0", "--metrics-address=127.0.0.1:0", "--log-format=json"),
            *arguments,
        ]
        with started("modelpool_operator", *told, log=log) as program:
            user = f"system:serviceaccount:{self.namespace}:{account}"
            operator = Operator(cluster=self.cluster, user=user, program=program)
            operator.wait_until_ready()
            yield operator
            if program.process.returncode != -signal.SIGKILL:
                program.stop()
        # kopf calls it an error when an API server is away, and tries again.
        bad = [line for line in program.lines() if line["level"] in ("error", "critical") if not _passes(line)]
        assert not bad, bad[0].get("exception", bad[0])
        refused = [
            one
            for one in operator.requests(operator.counted_since)
            # Admission refuses with 403, too: a policy, a quota, a namespace that goes.
            if (one.status == 401 or one.is_forbidden) and "terminated" not in one.uri
        ]
        assert not refused, f"the chart's role does not suffice: {refused[0]}"


def _passes(line: Object) -> bool:
    return str(line["logger"]).startswith("kopf.") and "will retry" in line["message"]


def rendered(helm: Path, home: Path, *, everywhere: bool = False) -> str:
    """Return the chart as helm renders it in the namespace `RENDERED`, the only text to be replaced in it.

    It is for the pools of that namespace, or of every one.
    """
    return subprocess.run(
        [
            *(str(helm), "template", RELEASE, str(CHART)),
            f"--namespace={RENDERED}",
            *(() if everywhere else (f"--set=watchNamespaces={{{RENDERED}}}",)),
        ],
        env={"HOME": str(home), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


@contextlib.contextmanager
def installed(
    cluster: Cluster, chart: str, namespace: str, folder: Path, *, everywhere: bool = False
) -> Iterator[Installation]:
    """Apply the CRD, accounts and roles of a rendered chart in a namespace; takes away what is not in there again."""
    documents = yaml.safe_load_all(chart.replace(RENDERED, namespace))
    objects = tuple(one for one in documents if one and one["kind"] in _PATHS)
    for one in objects:
        cluster.api.patch(f"{_path(one)}?fieldManager=test&force=true", one, APPLY)
    crds = [_path(one) for one in objects if one["kind"] == "CustomResourceDefinition"]
    for crd in crds:
        waiting.wait_for("the CRD", lambda: _is_established(cluster.api.get(crd)))  # noqa: B023
    try:
        yield Installation(cluster=cluster, namespace=namespace, folder=folder, objects=objects, everywhere=everywhere)
    finally:
        for one in objects:
            if one["kind"].startswith("ClusterRole"):
                cluster.api.delete(_path(one))


def _path(one: Object) -> str:
    metadata = one["metadata"]
    return f"{_PATHS[one['kind']].format(metadata.get('namespace'))}/{metadata['name']}"


def _is_established(crd: Object) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
