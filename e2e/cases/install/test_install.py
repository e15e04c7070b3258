"""The chart, installed as a user does, on a real node."""

from modelpool_under_test.node.release import NAMESPACE, Release


def test_the_chart_runs_as_it_promises(release: Release) -> None:
    """Non-root, no capability, a root filesystem that cannot be written."""
    pods = release.cluster.pods(NAMESPACE)
    assert len(pods) == 2, [pod["metadata"]["name"] for pod in pods]
    for pod in pods:
        name = pod["metadata"]["name"]
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        look = "import os;print(os.getuid(), *(l.split()[1] for l in open('/proc/self/status') if 'CapEff' in l))"
        told = release.cluster.kubectl("exec", f"--namespace={NAMESPACE}", name, "--", "python3", "-c", look)
        assert told.split() == ["65532", "0000000000000000"]
        write = "import errno\ntry: open('/opt/x', 'w')\nexcept OSError as e: print(errno.errorcode[e.errno])"
        told = release.cluster.kubectl("exec", f"--namespace={NAMESPACE}", name, "--", "python3", "-c", write)
        assert told.strip() in ("EROFS", "EACCES"), told
