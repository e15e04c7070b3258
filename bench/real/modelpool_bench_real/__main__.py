"""`python -m modelpool_bench_real`: the mix on a real Ollama alone and on a real vLLM behind the gateway, in turn.

Leaves with status 0 and a word when the engines are not installed: `python -m modelpool_real_engines` installs them.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import aiohttp

from modelpool_bench_gateway import built
from modelpool_bench_real import mix
from modelpool_bench_real.mix import Throughput
from modelpool_bench_replay import pipeline as pipelines
from modelpool_bench_replay.client import Client
from modelpool_bench_replay.pipeline import Step
from modelpool_real_engines import places, running, scene

AT_ONCE: Final = (1, 4, 16)
TIMEOUT_SECONDS: Final = 240.0
"""Of one call that waits behind fifteen queries."""


def main() -> None:
    """Run, or say what is missing."""
    parser = argparse.ArgumentParser(prog="modelpool_bench_real", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each, in turn; default: 3")
    options = parser.parse_args()
    missing = [path for path in (places.vllm(), places.models()) if not places.done(path)]
    if not places.ollama_program().exists():
        missing.append(places.ollama_program())
    if missing:
        print(f"nothing measured: {missing[0]} is missing; `python -m modelpool_real_engines` installs the engines")
        print(json.dumps({"measure": "real", "skipped": "engines are not installed"}))
        sys.exit(0)
    pipeline = pipelines.read()
    build = built.measured()
    os.environ.update(build.environ())  # the gateway inherits it
    signal.signal(signal.SIGTERM, _leave)
    with tempfile.TemporaryDirectory(prefix="modelpool-real-") as folder, ExitStack() as stack:
        urls = _start(Path(folder), stack, pipeline.models(), pipeline.recorded.loaded_models)
        found = asyncio.run(_measure(*urls, mix.scaled(pipeline), options.rounds))
    print(f"The gateway was {build.kind}.\n\n{_table(found)}")
    for one in found:
        line: dict[str, object] = {"measure": f"real/queries-per-minute/{one.queries}", "ratio": round(one.ratio, 3)}
        line |= {"modelpool": round(one.modelpool, 2), "ollama": round(one.ollama, 2), "build": build.kind}
        print(json.dumps(line))


def _leave(signum: int, _: object) -> None:
    """Go in order when told to: the engines stop, and their folder is removed."""
    raise SystemExit(128 + signum)


def _start(folder: Path, stack: ExitStack, names: tuple[str, ...], loaded: int) -> tuple[str, str]:
    """Start both sides; return where Ollama and where the gateway answer."""
    vllm = stack.enter_context(running.vllm(folder, names[0], "--served-model-name", *names))
    ollama = stack.enter_context(
        running.ollama(folder, OLLAMA_NUM_PARALLEL="1", OLLAMA_MAX_LOADED_MODELS=str(loaded), OLLAMA_KEEP_ALIVE="1h")
    )
    running.ready(ollama, "/")
    weights = (places.models() / "chat.gguf").read_bytes()
    for number, name in enumerate(names):
        path = folder / f"model-{number}.gguf"
        path.write_bytes(mix.renamed(weights, number))
        running.create(ollama.url, name, path, parameters={"temperature": 0})
    running.ready(vllm, "/health")
    gateway = stack.enter_context(running.gateway(folder, _routes(names, vllm.url)))
    running.ready(gateway, "/")
    scene.until_ready(gateway)
    return ollama.url, gateway.url


def _routes(names: tuple[str, ...], vllm: str) -> dict[str, Any]:
    backend = {"engine": "vllm", "url": vllm, "model": names[0], "maxConcurrency": 32}
    return {
        "version": 1,
        "pool": {"namespace": "bench", "name": "real", "generation": 1},
        "queue": {"maxPending": 256, "timeoutSeconds": TIMEOUT_SECONDS},
        "models": [{"name": names[0], "aliases": names[1:], "backends": [backend]}],
    }


async def _measure(ollama: str, gateway: str, steps: tuple[Step, ...], rounds: int) -> list[Throughput]:
    sides = {ollama: pipelines.in_recorded_order(steps), gateway: pipelines.together(steps)}
    found: list[Throughput] = []
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        for queries in AT_ONCE:
            rates: dict[str, list[float]] = {ollama: [], gateway: []}
            for number in range(rounds):
                for url, order in sides.items() if number % 2 else reversed(sides.items()):
                    client = Client(
                        session=session,
                        urls=(url,),
                        compression=1.0,
                        expected_backend="vllm" if url == gateway else "",
                        exact=False,
                    )
                    if not found and number == 0:
                        await client.run(steps, order, users=1)
                    began = time.monotonic()
                    await client.run(steps, order, users=queries)
                    rates[url].append(60 * queries / (time.monotonic() - began))
                    side = "gateway and vLLM" if url == gateway else "Ollama"
                    print(f"{side}, {queries} at once: {rates[url][-1]:.1f} queries a minute", file=sys.stderr)
            found.append(
                Throughput(
                    queries=queries,
                    ollama=statistics.median(rates[ollama]),
                    modelpool=statistics.median(rates[gateway]),
                )
            )
    return found


def _table(found: list[Throughput]) -> str:
    lines = [
        "Queries a minute, a tiny model on this CPU: Ollama holds three of five models, vLLM has one for all names",
        "",
        f"  {'at once':>8}{'Ollama alone':>14}{'gateway, vLLM':>15}{'ratio':>8}",
    ]
    lines += [f"  {one.queries:>8}{one.ollama:>14.1f}{one.modelpool:>15.1f}{one.ratio:>8.2f}" for one in found]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
