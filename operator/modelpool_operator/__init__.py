"""The ModelPool operator: turns a `ModelPool` into engines that share GPUs, and says what became of it.

Four layers, each knowing only those to its left::

    api  <-  planning  <-  cluster  <-  handlers

`api` holds types and names, `planning` decides and is pure, `cluster` talks to Kubernetes, `handlers` is where kopf
enters. A fifth room, `telemetry`, may be used by the two layers that have effects.
"""
