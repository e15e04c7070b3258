"""Who is in trouble: what an advice may look at, and the names that it gives."""

from dataclasses import dataclass
from typing import Final

from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.changes.pulls import DENIED
from modelpool_operator.planning.engines.profile import Profile
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.observation.observed import Observed

NOTHING: Final = Observed()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceSubject:
    """Who is in trouble."""

    pool: ModelPool
    model: Model
    engine: Engine
    """On which the trouble is: a vLLM model's fallback is on Ollama."""
    says: str
    """The message so far."""
    observed: Observed = NOTHING

    @property
    def profile(self) -> Profile:
        """What the engine answers."""
        return PROFILES[self.engine]

    @property
    def field(self) -> str:
        """The part of the spec that describes all of its engines."""
        return self.profile.field

    @property
    def resources(self) -> str:
        """The part of the spec that says what its containers ask for."""
        return "ollama.pullResources" if self.says.startswith(DENIED) else f"{self.field}.resources"

    @property
    def volume(self) -> str:
        """The part of the spec that describes their volume."""
        return self.profile.volume_field

    @property
    def claim(self) -> str:
        """The claim that all engines of its kind have."""
        return self.profile.claim(self.pool)

    @property
    def image(self) -> str:
        """The image that the engine runs."""
        return self.profile.image(self.pool.spec)

    @property
    def namespace(self) -> str:
        """Where the pool and all of its children are."""
        return self.pool.ref.namespace

    @property
    def deployment(self) -> str:
        """The Deployment of the engine."""
        return self.profile.deployment(self.pool, self.model)

    @property
    def logs(self) -> str:
        """The command that shows the engine's last words."""
        return f"`kubectl logs --namespace {self.namespace} deployment/{self.deployment} --previous`"
