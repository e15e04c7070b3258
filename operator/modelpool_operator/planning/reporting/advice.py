"""What a person can do about a model that does not come up: a sentence for each reason, with the pool's own names.

Pure. A reason without an entry passes by waiting, or is explained by its message alone.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Final

from modelpool_operator.api import names
from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning import sharing
from modelpool_operator.planning.engines.ollama import servers as ollama_servers
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.observation import denials, diagnosis
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.observation.pod_states import State
from modelpool_operator.planning.placement import node_choice
from modelpool_operator.planning.reporting import (
    advice_on_denials,
    advice_on_engines,
    advice_on_pods,
    advice_on_volumes,
    no_node,
    volume_states,
)
from modelpool_operator.planning.reporting.advice_on_images import on_image
from modelpool_operator.planning.reporting.advice_subject import AdviceSubject
from modelpool_operator.planning.reporting.scheduler_words import Search
from modelpool_operator.planning.sharing.inventory import Inventory


def advised(state: State, pool: ModelPool, model: Model, engine: Engine, observed: Observed | None = None) -> State:
    """Return the state with what to do about it at the end of its message.

    That no card is left, the scheduler says also of nodes that were never meant to have one: then it is not the reason.
    """
    find = ADVICE.get(state.reason)
    if find is None:
        said = PROFILES[engine].advice.get(state.reason)
        return state if said is None else dataclasses.replace(state, message=_sentences(state.message, said))
    subject = AdviceSubject(pool=pool, model=model, engine=engine, says=state.message, observed=observed or Observed())
    if state.reason == diagnosis.NO_GPU and not no_node.is_out_of_cards(_search(subject)):
        state = dataclasses.replace(state, reason=diagnosis.UNSCHEDULABLE)
    return dataclasses.replace(state, message=_sentences(state.message, find(subject)))


def on_refusal(reason: str) -> str:
    """Return what to do about a pool that cannot be planned; empty where its message says all."""
    return REFUSALS.get(reason, "")


def on_denial(said: str, pool: ModelPool) -> str:
    """Return what to do about a child of the pool that the API server refused; empty where nobody knows.

    Args:
        said: `Could not apply KIND NAME: …`.
        pool: whose child it is.
    """
    cause = denials.cause_of(said)
    own = PROFILES.with_own(pool.spec)
    of_server = names.ollama_name(pool.ref.name) in said or not own
    engine = PROFILES.server.name if of_server else own[0].engine
    who = AdviceSubject(pool=pool, model=pool.spec.models[0], engine=engine, says=said)
    if "PersistentVolumeClaim" in said and cause in (denials.QUOTA, denials.LIMIT_RANGE):
        return advice_on_volumes.ADVICE[volume_states.DENIED](who)
    return advice_on_denials.ADVICE[cause](who) if cause is not None else ""


def _sentences(message: str, advice: str) -> str:
    return f"{message.rstrip('. ')}. {advice}" if message else advice


def _no_node(who: AdviceSubject) -> str:
    return no_node.advice_on(_search(who))


def _search(who: AdviceSubject) -> Search:
    """Return what is known of a pod that finds no node."""
    spec = who.pool.spec
    on_card = who.profile.shares_card(spec)
    mode = sharing.MODES.get(spec.gpus.sharing)
    together = on_card and not spec.replicated
    held = [pod for pod in who.observed.pods if pod.node is not None and pod.held > 0 and not pod.deleting]
    used = frozenset(gpu for pod in held for gpu in pod.gpus)
    return Search(
        spec=spec,
        says=who.says,
        server=who.field,
        claim=who.claim,
        resource=mode.resource(spec) if mode is not None and on_card else None,
        nodes=who.observed.inventory if who.observed.every_node else Inventory(),
        home=held[0].node if held and together else None,
        needs=node_choice.needs_of(who.observed.children.values(), mode.of_node(used) if mode is not None else {}),
    )


def _host_memory(who: AdviceSubject) -> str:
    limit = who.profile.resources(who.pool.spec).get("limits")
    said = f", now {limit['memory']}" if isinstance(limit, Mapping) and "memory" in limit else ""
    return f"Raise `{who.field}.resources.limits.memory`{said}; this is the node's memory, not the card's"


def _hub(who: AdviceSubject) -> str:
    secret = who.pool.spec.hugging_face.token_secret_ref
    source = (who.model.source or "").removeprefix("hf://").partition("@")[0]
    terms = f"accept the terms at https://huggingface.co/{source} as its owner"
    if secret is None:
        return f"Put a token into a Secret, name it in `huggingFace.tokenSecretRef`, and {terms}"
    return f"Check the token in Secret {secret.name}, key {secret.key}, and {terms}"


def _volume(who: AdviceSubject) -> str:
    return (
        f"PersistentVolumeClaim {who.claim} is full: expand it where its StorageClass allows that,"
        " or remove what is not needed from it"
    )


def _share(who: AdviceSubject) -> str:
    share = "`gpuMemory`" if who.model.gpu_memory is not None else "`gpuMemoryFraction`"
    return f"Raise {share} of {who.model.name}, or lower its `contextLength` or `maxConcurrency`"


def _held_card(who: AdviceSubject) -> str:
    loaded = ollama_servers.unbounded(who.pool.spec, who.pool.spec.gpus.sharing)
    ours = f" (maybe Ollama, where `ollama.gpuMemory` does not hold {', '.join(loaded)})" if loaded else ""
    return (
        f"Something else holds memory of the card{ours}: `nvidia-smi` on the node shows it;"
        " end it, or set it aside with `gpus.reserve`"
    )


def _logs(who: AdviceSubject) -> str:
    return f"See {who.logs}"


def _injected(who: AdviceSubject) -> str:
    found = re.search(r"ontainer (\S+), which", who.says)
    container = found[1] if found else "NAME"
    command = f"kubectl logs --namespace {who.pool.ref.namespace} deployment/{who.deployment} --container {container}"
    return f"Whoever injects it can say more; `{command}` shows its words"


def _held_open(who: AdviceSubject) -> str:
    return (
        "Inject it as a native sidecar, an init container that restarts, so that Jobs can end; or keep it out of the"
        " pool's pods by `podLabels` or `podAnnotations`"
    )


def _node(who: AdviceSubject) -> str:
    return (
        "Bring the node back, or delete it (`kubectl delete node`): only then are its engines started elsewhere,"
        " where `nodeSelector` and the pool's volumes allow"
    )


def _pull(who: AdviceSubject) -> str:
    if diagnosis.cause_of(who.says) == diagnosis.VOLUME_FULL:
        return _volume(who)
    for words, advice in _PULLS:
        if re.search(words, who.says):
            return advice
    server, own = PROFILES.server, PROFILES.has_own(who.model)
    wanted = server.stand_in(who.pool.spec, who.model) if own else server.served_name(who.model)
    field = "`fallback.model`" if own else "`source`"
    return f"Check that Ollama's library has '{wanted or who.model.name}' ({field}), and that the node reaches it"


Advice = Callable[[AdviceSubject], str]

_PULLS: Final = (
    (r"requires a newer version of Ollama", "Take a newer Ollama: `ollama.image`"),
    (
        r"(pull model manifest|max retries exceeded): .*(dial tcp|i/o timeout|no such host|TLS handshake)",
        (
            "Let the pool's Ollama reach the registry, by a proxy if need be (`ollama.env`: HTTPS_PROXY): the server"
            " fetches, and not the pull's pod"
        ),
    ),
)
"""What to do about a sentence of Ollama's: the first that fits."""

ADVICE: Final[Mapping[str, Advice]] = {
    "ImagePullBackOff": on_image,
    "InvalidImageName": on_image,
    "ErrImageNeverPull": on_image,
    "OOMKilled": _host_memory,
    "CrashLoopBackOff": _logs,
    "Error": _logs,
    "NodeLost": _node,
    "InitContainerFailed": _injected,
    "SidecarFailed": _injected,
    "PullHeldOpen": _held_open,
    **advice_on_denials.ADVICE,
    **advice_on_engines.ADVICE,
    **advice_on_pods.ADVICE,
    **advice_on_volumes.ADVICE,
    diagnosis.UNSCHEDULABLE: _no_node,
    diagnosis.NO_GPU: _no_node,
    diagnosis.HUB_DENIED: _hub,
    diagnosis.MODEL_NOT_FOUND: lambda who: f"Check `source` of {who.model.name}, and its revision",
    diagnosis.VOLUME_FULL: _volume,
    diagnosis.CARD_FULL: _held_card,
    diagnosis.SHARE_TOO_SMALL: _share,
    diagnosis.CARD_OUT_OF_MEMORY: _share,
    diagnosis.PULL_FAILED: _pull,
}
"""By reason of a model's state."""

REFUSALS: Final[Mapping[str, str]] = {
    "ModelTooLarge": "Raise its share, choose smaller weights, or lower `contextLength`",
    "CardOverfull": "Lower a share, move a model to Ollama, or give the pool another card",
    "CardsOverfull": "Lower a share, move a model to Ollama, or give the pool another card",
    "CardHeld": (
        "Free the room, lower a share, or name another node in `nodeSelector`; `gpus.reserve` keeps room for a pod of"
        " which nobody knows what it takes, and `gpus.others: Ignore` is for cards that are kept apart in another way"
    ),
    "NoPlacement": "Lower a share, or pin fewer models with `gpu`",
}
"""By reason of a refusal."""
