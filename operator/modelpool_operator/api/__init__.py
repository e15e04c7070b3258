"""The API `modelpool.dev/v1alpha1` as immutable values, and every name that the cluster sees.

This layer knows the shape of a ModelPool and nothing else: no planning, no Kubernetes client, no clock. The shape's one
truth is `crds/modelpools.yaml`; a test proves that the types here agree with it in both directions.
"""
