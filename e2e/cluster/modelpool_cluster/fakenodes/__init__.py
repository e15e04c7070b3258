"""GPU nodes and the pods on them, played by kwok.

`stages.yaml` says how, `nodes` and `pods` write the objects (both pure), `acting` is what a test calls. Pods on these
nodes start, get an address and become ready at once; those of Jobs complete. A test that wants another story either
places pods on a held node, where nothing happens by itself, or tells one pod what to be; kwok never takes that back.
Everything goes through the API, so it works against any cluster that kwok runs against.
"""
