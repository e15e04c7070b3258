"""helm for tests that need no cluster: not skipped where there is none."""

from pathlib import Path

import pytest
from chart_helm import Helm

from modelpool_cluster import settings
from modelpool_cluster.binaries import Binaries


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """A real helm that talks to no cluster."""
    return Helm(program=Binaries(settings.current(), print).helm(), home=tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def helm_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for a helm that talks to a cluster."""
    return tmp_path_factory.mktemp("helm-home")
