"""A real Kubernetes control plane for the tests, in seconds and without Docker.

Four rooms, each knowing only those above it:

- `settings` reads the environment, nothing else does.
- `binaries` knows where the programs come from (given, cached, fetched, built); it starts none of them.
- `controlplane` starts them and ends them; it knows no node, no pod and no test.
- `fakenodes` plays GPU nodes and the pods on them against any cluster, through its API alone.

`managers` offers them behind pytest-kubernetes' cluster manager, `cluster` is what a test holds in its hands, and
`plugin` gives that to pytest; `node` is a real node beside the control plane, with rooms of its own.

Nothing here knows ModelPool: `modelpool_under_test` installs and runs it, and the cases live in `e2e/cases`. A contract
and a test hold that.
"""
