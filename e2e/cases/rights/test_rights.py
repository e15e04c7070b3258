"""The chart grants what its programs use, and no more: the API server's audit log of this very run is the witness.

Every right, one verb on one resource, must have been used by the ServiceAccount that has it, and nothing may have been
refused to one. `make rbac-audit` does the same and prints it. A right that no case uses goes, or gets its case.
"""

from pathlib import Path

from modelpool_cluster import rbac_audit
from modelpool_cluster.cluster import Cluster
from modelpool_under_test.node.release import Release
from modelpool_under_test.processes.installation import CHART, RELEASE


def test_operator_and_gateway_have_the_rights_that_they_use(cluster: Cluster, helm: Path) -> None:
    found = rbac_audit.replayed(helm, RELEASE, CHART, [cluster.audit_log])
    print("\n".join(found.lines()))
    assert found.requests > 1000, f"only {found.requests} requests: was this the whole run?"
    assert found.holds, "\n".join(found.lines())


def test_nothing_was_refused_to_the_pods_on_a_real_node(release: Release) -> None:
    """Installed by helm, with the tokens that the kubelet gives them; not every right is used there."""
    cluster = release.cluster
    found = rbac_audit.replayed(cluster.binaries.helm(), RELEASE, CHART, [cluster.audit_log])
    print("\n".join(found.lines()))
    assert found.requests > 100, f"only {found.requests} requests: was this the whole run?"
    assert not found.missing, "\n".join(found.lines())
