"""One real node: containerd, runc, CNI, kubelet, kube-proxy and CoreDNS, without Docker, in namespaces of its own.

Two processes hold everything. The *space* holds a network namespace that has a loopback and a bridge and no way out:
the control plane, the node and the pods live in it, and so does the thread of the tests while it talks to them. The
*machine* is the first process of a process and mount namespace, and all that a node runs are its descendants: killing
it is what pulling the plug is to a real one. Both are children of the run's supervisor, so that the kernel takes away
processes, interfaces, nft tables and mounts together with them, however the run ends; what the kernel keeps (control
groups and the run's folder) the supervisor removes. `traces` proves it.

- `addresses` and `configuration` are pure: who is where, and what each program is told.
- `prerequisites` says what this machine lacks, by name.
- `space`, `cgroups`, `machine` make the parts; `init` is the machine's first process; `plane` puts the control plane
  into the space.
- `second` is another node beside the first, for cases that take two; `cards` are what nodes have, and `readiness` what
  their kubelets say.
- `archive` writes container images; `objects` are what a cluster needs before it is of use.
- `manager` and `cluster` offer it all as the provider `node`; `plugin` gives it to pytest.
- `borrowed` offers the nodes of the providers `kind` and `external` to the same tests.

Nothing here knows ModelPool.
"""
