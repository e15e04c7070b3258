"""The ways in which a pool can be broken that docs/how-to/troubleshoot.md shows, in its order."""

from typing import Final

import denied_pools
import troubled_engines
import troubled_pods
import troubled_volumes
from situation import Situation

SECTIONS: Final[dict[str, tuple[Situation, ...]]] = {
    "Pods that do not start": troubled_pods.SITUATIONS,
    "Engines that die": troubled_engines.SITUATIONS,
    "Volumes": troubled_volumes.SITUATIONS,
    "What is not let in": denied_pools.SITUATIONS,
}
"""By what is in trouble."""

SITUATIONS: Final = tuple(one for section in SECTIONS.values() for one in section)
