"""Starts and ends the control plane's processes: etcd, API server, controller manager, scheduler, and kwok beside them.

`layout` names the files of one run, `certificates` and `kubeconfig` say who is who, `components` writes the command
lines, `supervise` is the small program that is parent of them all, `supervisor` talks to it, `running` puts them in
order. It knows no node, no pod and no test. Called by `managers` and `cluster`.
"""
