"""Which programs make up a pool on one machine: the same plan the operator carries out, as command lines. Pure.

Engines run below the operator's own start script, so that the card lock orders their start here as it does in a pod.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from modelpool_cli.local.ports import LOOPBACK
from modelpool_cli.local.processes import Program, Restart
from modelpool_operator.api.models import Engine, Model
from modelpool_operator.api.pool import ModelPool
from modelpool_operator.planning.engines.ollama import (
    models as ollama,
)
from modelpool_operator.planning.engines.ollama import (
    pod as ollama_pods,
)
from modelpool_operator.planning.engines.ollama import (
    servers as ollama_servers,
)
from modelpool_operator.planning.engines.registry import PROFILES
from modelpool_operator.planning.engines.start_pod import cards_text
from modelpool_operator.planning.engines.variables import KEY_VARIABLE
from modelpool_operator.planning.engines.vllm import arguments as vllm
from modelpool_operator.planning.manifests import engine_keys, routes
from modelpool_operator.planning.memory.sources import Claim, parse_source
from modelpool_operator.planning.sharing.shares import Placement, Share

GATEWAY = "gateway server"
OLLAMA = "ollama server"
OLLAMA_CPU = "ollama server on the cpu"
"""Names of programs that are no model: with a space, which no model's name has."""
IN_BUS_ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
"""So that an index means the same card to CUDA, whose own order is by speed, as to `nvidia-smi` and to the plan."""
DRAIN_SECONDS = 5.0
"""How long an engine may finish what it does when the pool is stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """How engines are called here, and what their environment adds."""

    vllm: tuple[str, ...] = ("vllm",)
    ollama: tuple[str, ...] = ("ollama",)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the pool lives on this machine."""

    folder: Path
    """Holds locks, logs, routes and, when simulated, the cards' accounts."""
    ports: Mapping[str, int]
    """Of every vLLM model, by its name, and of `OLLAMA` and `OLLAMA_CPU`."""
    listen: tuple[str, ...]
    """HOST:PORT, where the gateway listens."""
    release: bytes = field(repr=False)
    """The release key of this run, of which the engines' key is made. A secret."""

    def log(self, name: str) -> Path:
        """Return the file that a program's output goes to."""
        return self.folder / "logs" / f"{name.replace('/', '_').replace(':', '-').replace(' ', '-')}.log"

    @property
    def routes(self) -> Path:
        """The routes document that the gateway follows."""
        return self.folder / "routes.json"

    @property
    def key(self) -> Path:
        """The file with the release key, which the gateway reads."""
        return self.folder / "key"


def names_of_engines(pool: ModelPool, placement: Placement) -> tuple[str, ...]:
    """Return the names for which a port is needed."""
    beside = (OLLAMA_CPU,) if ollama_servers.divide(pool.spec, placement.sharing).beside else ()
    own = (model.name for model in PROFILES.with_own(pool.spec))
    return (*own, *((OLLAMA, *beside) if ollama.is_needed(pool.spec) else ()))


def programs(pool: ModelPool, placement: Placement, place: Place, commands: Commands) -> tuple[Program, ...]:
    """Return every program of the pool in the order they are started: Ollama and its pulls, engines, gateway."""
    by_name = {model.name: model for model in pool.spec.models}
    engines = [
        _engine(pool, by_name[share.model], share, place, commands) for share in placement.shares if not share.of_pool
    ]
    with_ollama = ollama.is_needed(pool.spec)
    servers = [*_ollama(pool, placement, place, commands), *_pulls(pool, place, commands)] if with_ollama else []
    return (*servers, *engines, _gateway(place))


def routes_document(pool: ModelPool, placement: Placement, place: Place) -> bytes:
    """Return the routes document with this machine's addresses."""
    beside = ollama_servers.divide(pool.spec, placement.sharing).beside

    def address_of(engine: Engine, model: str) -> dict[str, object]:
        if not PROFILES[engine].of_pool:
            return {"url": _url(place.ports[model]), "keyed": True}
        return {"url": _url(place.ports[OLLAMA_CPU if model in beside else OLLAMA])}

    return json.dumps(routes.routes_document(pool, placement, address_of), indent=2).encode()


def _url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def _engine(pool: ModelPool, model: Model, share: Share, place: Place, commands: Commands) -> Program:
    port = place.ports[model.name]
    script = resources.files("modelpool_operator.planning.scripts") / "start_engine.py"
    locks = [word for gpu in share.gpus for word in ("--lock", str(place.folder / "locks" / f"card-{gpu}.lock"))]
    return Program(
        name=model.name,
        argv=(
            sys.executable,
            str(script),
            *locks,
            *("--name", model.name, "--health", f"{_url(port)}/health", "--"),
            *(*commands.vllm, "serve"),
            *vllm.arguments(
                pool.spec,
                model,
                share,
                host=LOOPBACK,
                port=port,
                weights_folder=str(_weights(place, model)),
                adapters_folder=str(place.folder / "weights"),
            ),
        ),
        log=place.log(model.name),
        env={
            **_plain(vllm.environment(pool.spec, cache_folder=str(place.folder / "cache"))),
            **IN_BUS_ORDER,
            "CUDA_VISIBLE_DEVICES": cards_text(share),
            KEY_VARIABLE: engine_keys.key_of(place.release, *pool.ref, ""),  # a file's pool has no UID
            **commands.env,
            **_literal(pool.spec.vllm.env),
        },
        grace_seconds=DRAIN_SECONDS,
    )


def _ollama(pool: ModelPool, placement: Placement, place: Place, commands: Commands) -> Iterator[Program]:
    """Yield the pool's Ollama, and the server beside it where the plan has one."""
    spec, models, share = pool.spec, str(place.folder / "ollama"), placement.ollama
    first = ollama_pods.environment(spec, placement, listen=f"{LOOPBACK}:{place.ports[OLLAMA]}", models=models)
    cards = {**IN_BUS_ORDER, "CUDA_VISIBLE_DEVICES": cards_text(share) if share else "-1"}
    yield _server(OLLAMA, place, commands, {**first, **cards, **commands.env, **_literal(spec.ollama.env)})
    if ollama_servers.divide(spec, placement.sharing).beside:
        second = ollama_pods.environment_beside(spec, listen=f"{LOOPBACK}:{place.ports[OLLAMA_CPU]}", models=models)
        yield _server(OLLAMA_CPU, place, commands, {**commands.env, **second, **_literal(spec.ollama.env)})


def _server(name: str, place: Place, commands: Commands, env: Mapping[str, str]) -> Program:
    argv = (*commands.ollama, "serve")
    return Program(name=name, argv=argv, log=place.log(name), env=env, grace_seconds=DRAIN_SECONDS)


def _pulls(pool: ModelPool, place: Place, commands: Commands) -> list[Program]:
    return [
        Program(
            name=f"pull {model}",
            argv=(*commands.ollama, "pull", model),
            log=place.log(f"pull {model}"),
            env={"OLLAMA_HOST": f"{LOOPBACK}:{place.ports[OLLAMA]}", **commands.env},
            restart=Restart.ON_FAILURE,
            after=(LOOPBACK, place.ports[OLLAMA]),
        )
        for model in ollama.models_to_pull(pool.spec)
    ]


def _gateway(place: Place) -> Program:
    listen = [word for address in place.listen for word in ("--listen", address)]
    return Program(
        name=GATEWAY,
        argv=(
            sys.executable,
            "-m",
            "modelpool_sidecar",
            "--routes-file",
            str(place.routes),
            "--engine-key-file",
            str(place.key),
            "--drain-delay",
            "0",
            *listen,
        ),
        log=place.log(GATEWAY),
        grace_seconds=DRAIN_SECONDS,
    )


def _weights(place: Place, model: Model) -> Path:
    """Return the folder that stands for the volume of a `pvc://` source."""
    source = parse_source(model.source or "")
    return place.folder / "weights" / (source.claim if isinstance(source, Claim) else "")


def _plain(environment: Mapping[str, str | dict[str, object]]) -> dict[str, str]:
    """Return what holds without a cluster; weights from the Hub stay in the user's own cache, HF_HOME."""
    return {name: value for name, value in environment.items() if isinstance(value, str) and name != "HF_HOME"}


def _literal(env: list[dict[str, object]]) -> dict[str, str]:
    """Return the variables that say their value; a Secret's or a field's exist only in a cluster."""
    return {str(one["name"]): str(one["value"]) for one in env if "value" in one}
