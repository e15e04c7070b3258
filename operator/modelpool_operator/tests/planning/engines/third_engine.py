"""An engine as somebody adds one: this file, and nothing else of planning. `test_third_engine` puts it to use."""

from types import MappingProxyType
from typing import Any

from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import PoolSpec
from modelpool_operator.api.quantity import GIB
from modelpool_operator.planning.engines.images import Release
from modelpool_operator.planning.engines.profile import Profile
from modelpool_operator.planning.memory.arithmetic import Term
from modelpool_operator.planning.sharing.mode import Access
from modelpool_operator.planning.sharing.shares import Share


class Third(Profile):
    """Says at `/up` whether it is, takes the share in percent, and needs 4 GiB beside the weights."""

    name = Engine.named("third")
    title = "Third"
    release = Release("third/server:1.2", "server", ("1.2",))
    port = 30000
    health = "/up"
    variables = MappingProxyType({"THIRD_SHARE": "the plan says what it takes"})
    causes = (("FlavourUnknown", r"flavour \S+ is unknown"),)
    advice = MappingProxyType({"FlavourUnknown": "Take weights of another flavour"})

    def needs(self, spec: PoolSpec, model: Model, card: int) -> tuple[tuple[Term, ...], tuple[str, ...]]:
        weights = model.weights.bytes if model.weights else 0
        return (Term(label="weights", bytes=weights), Term(label="buffers", bytes=4 * GIB)), ()

    def environment(self, spec: PoolSpec, key: str | None) -> dict[str, str | dict[str, Any]]:
        return {"THIRD_HOME": "/cache/third"}

    def command(self, spec: PoolSpec, model: Model, share: Share, access: Access) -> tuple[str, ...]:
        percent = round(100 * share.fraction)
        return ("third", "serve", model.source or "", "--percent", str(percent), *model.args)


PROFILE = Third()
