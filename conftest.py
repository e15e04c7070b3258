"""pytest for the whole repository: the test cluster's fixtures are there for every package's tests."""

pytest_plugins = ["modelpool_cluster.plugin"]
