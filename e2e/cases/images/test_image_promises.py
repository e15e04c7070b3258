"""The built images keep what is promised of them: small, quick to start, nobody's root, nothing to build with."""

import pytest

from modelpool_cluster.images import Images, report, starting
from modelpool_cluster.settings import current


def test_the_images_keep_their_promises(node_images: Images) -> None:
    assert starting.possible(), "a real node runs, so containers do"
    found = report.examine(node_images, current().scratch)
    print("\n".join(found.lines()))
    assert found.start is not None
    assert found.problems == ()


def test_a_container_that_cannot_start_says_why(node_images: Images) -> None:
    with pytest.raises(starting.NotReadyError, match="the gateway's container said: "):
        starting.start(node_images.archive("operator"), current().scratch)
