"""Decisions, and nothing else: from a ModelPool and what exists to what shall exist, and to what is reported.

Pure: no network, no files, no clock, no randomness, no environment. It knows the API's types and Kubernetes' manifests;
it must not know that a cluster answers. The operator's `cluster` layer feeds it and carries its plans out; the CLI
calls it to show a plan and to run one on a single machine.

Its packages are layers, in the order in which a pass comes to them, each knowing only those before it: `objects`,
`memory`, `sharing`, `engines`, `observation`, `placement`, `manifests`, `changes`, `reporting`. Start reading at
`changes.plan.make_plan` and `reporting.status.assess`.
"""
