"""What each program of the node is told. Pure: paths in, documents and command lines out.

Every setting that is not a path or an address has its reason beside it: most of them were found by what broke.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ..controlplane import certificates, components
from ..controlplane.layout import Layout
from . import addresses
from .addresses import Host

PAUSE_IMAGE = "localhost/pause:1"
CNI_PLUGINS = Path("/usr/lib/cni")
LEASE_SECONDS = 10
"""A kubelet gives a sign of life four times in this time: often, so that `SITE.silence_seconds` can be short."""
RUNTIMES = ("runc", "nvidia")
"""Handlers of RuntimeClasses. `nvidia` is runc too: pods ask for it by name, there is no card to give."""

KUBELETS = {
    host: certificates.Identity(
        name=f"kubelet-{host.name}",
        user=f"system:node:{host.name}",
        group="system:nodes",
        hosts=(host.address, host.name),
    )
    for host in (addresses.FIRST, addresses.SECOND)
}
PROXY = certificates.Identity(name="kube-proxy", user="system:kube-proxy")
DNS = certificates.Identity(name="coredns", user="modelpool:coredns")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A node's files, in the folder of the run."""

    layout: Layout
    cgroup: str
    """The control group, in every hierarchy, that holds the groups of all pods."""
    host: Host = addresses.FIRST

    @property
    def folder(self) -> Path:
        """All that is not a socket."""
        return self.layout.folder / "nodes" / self.host.name

    @property
    def leases(self) -> Path:
        """The pods' addresses: of all nodes, for they share a bridge."""
        return self.layout.folder / "nodes" / "leases"

    @property
    def socket(self) -> Path:
        """containerd's. Near the top of the run's folder, for a socket's path must be short."""
        return self.layout.folder / f"{self.host.name}.sock"

    def __getitem__(self, name: str) -> Path:
        return self.folder / name


def containerd(files: Files) -> str:
    """containerd: version 2 of the format serves the releases 1.6 to 2.1."""
    runtimes = "".join(
        f"""
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}.options]
  SystemdCgroup = false
"""
        for name in RUNTIMES
    )
    # restrict_oom_score_adj: a machine that gives no CAP_SYS_RESOURCE cannot lower the score, and every sandbox would
    # fail with "can't get final child's PID from pipe: EOF".
    return f"""\
version = 2
root = "{files["containerd"]}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", \
"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{files.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{CNI_PLUGINS}"
  conf_dir = "{files["cni"]}"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "{RUNTIMES[0]}"
{runtimes}"""


def network(files: Files) -> dict[str, Any]:
    """The pods' network: ports of one bridge, whose address is the node's. There is no outside to hide them from."""
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": addresses.BRIDGE,
                "isGateway": True,
                "hairpinMode": True,  # a pod that calls its own Service
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(files.leases),
                    "ranges": [[{"subnet": addresses.POD_CIDR, "rangeStart": addresses.FIRST_POD}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def kubelet(files: Files) -> dict[str, Any]:
    """The kubelet's configuration."""
    layout, identity = files.layout, KUBELETS[files.host]
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": files.host.address,
        "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.authority)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.certificate(identity.name)),
        "tlsPrivateKeyFile": str(layout.key(identity.name)),
        "containerRuntimeEndpoint": f"unix://{files.socket}",
        "cgroupDriver": "cgroupfs",  # there is no systemd
        "cgroupRoot": f"/{files.cgroup}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,  # lower takes CAP_SYS_RESOURCE
        "makeIPTablesUtilChains": False,  # kube-proxy speaks nftables
        "clusterDNS": [addresses.DNS_SERVICE],
        "clusterDomain": addresses.DOMAIN,
        "resolvConf": str(files["resolv.conf"]),
        "podLogsDir": str(files["pod-logs"]),
        "volumePluginDir": str(files["volume-plugins"]),
        "nodeLeaseDurationSeconds": LEASE_SECONDS,
        "imageGCHighThresholdPercent": 100,  # a full disk of the test machine must not evict our images
        "evictionHard": dict.fromkeys(("imagefs.available", "nodefs.available", "nodefs.inodesFree"), "0%")
        | {"memory.available": "64Mi"},
        "registryPullQPS": 0,  # a missing image says so at once
        "serializeImagePulls": False,
        "syncFrequency": "10s",  # how soon a changed ConfigMap is in its volume
    }


def proxy(files: Files) -> dict[str, Any]:
    """kube-proxy's configuration. nftables: its one table goes with the network namespace."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(files.layout.kubeconfig(PROXY.name))},
        "hostnameOverride": addresses.NODE,
        "clusterCIDR": addresses.POD_CIDR,
        "detectLocalMode": "ClusterCIDR",
        "healthzBindAddress": "",
        "metricsBindAddress": "127.0.0.1:10249",
        "oomScoreAdj": 0,
        # Limits of connection tracking are the machine's, not ours to set.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def dns(files: Files) -> str:
    """CoreDNS: the cluster's names and no others."""
    return f"""\
.:53 {{
    bind {addresses.ADDRESS}
    ready {addresses.ADDRESS}:8181
    errors
    cache 5
    kubernetes {addresses.DOMAIN} in-addr.arpa {{
        kubeconfig {files.layout.kubeconfig(DNS.name)}
        pods insecure
        ttl 5
    }}
}}
"""


def documents(files: Files) -> dict[str, str | dict[str, Any]]:
    """Return every configuration file, by its name in the node's folder."""
    return {
        "containerd.toml": containerd(files),
        "cni/pods.conflist": network(files),
        "kubelet.json": kubelet(files),
        "kube-proxy.json": proxy(files),
        "Corefile": dns(files),
        "resolv.conf": "",  # of pods that want the node's own names: there are none
    }


def commands(files: Files) -> dict[str, list[str]]:
    """Return the arguments of each program that a node runs, in the order of their start.

    The nodes share a network, so one kube-proxy and one CoreDNS serve all of them.
    """
    own = {
        "containerd": [f"--config={files['containerd.toml']}"],
        "kubelet": [
            f"--config={files['kubelet.json']}",
            f"--kubeconfig={files.layout.kubeconfig(KUBELETS[files.host].name)}",
            f"--root-dir={files['kubelet']}",
            f"--cert-dir={files['kubelet']}",
            f"--hostname-override={files.host.name}",
            f"--node-ip={files.host.address}",
        ],
    }
    if files.host != addresses.FIRST:
        return own
    return own | {"kube-proxy": [f"--config={files['kube-proxy.json']}"], "coredns": [f"-conf={files['Corefile']}"]}


SITE = components.Site(address=addresses.ADDRESS, kubelets=True, silence_seconds=20)
"""Where the control plane of a real node listens."""
