"""ModelPool as tests and benchmarks have it in their hands: built of this checkout, installed, run and asked.

- `images` and `compiled` build it: the container images, and the compiled gateway beside its sources.
- `processes` runs operator and gateway as processes beside a cluster, with the rights that the chart gives them.
- `node` installs the chart by helm on a real node, and has a pool there.
- `plugin` gives the images to pytest.

All stand on `modelpool_cluster`, which knows no ModelPool. No case and no test of another package is known here; what
cases and benchmarks both need is here.
"""
