"""How engines share a card when one writes and another reads: measured on the first GPU of this machine.

    python bench/card_sharing.py            measure; the last line is JSON

An engine that writes answers reads all weights for a little arithmetic, many short kernels to a step; one that reads a
prompt multiplies large matrices. `writing` and `reading` are such loops on the layers of an 8B model (bfloat16). Each
runs alone and with neighbours, in processes of their own, without MPS, as pods of one card do. `batch` is a step of
`writing` for more sequences at once, without attention. Needs an NVIDIA GPU and PyTorch. Nothing of this repository is
imported.
"""

import json
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

HIDDEN, FEED, KEYS, LAYERS = 4096, 12288, 1024, 8
"""Of Qwen3-8B, but for the layers: as many as keep the weights far larger than the card's cache."""
PROMPT = 2048
"""Tokens of a chunk of a prompt."""
SECONDS = 4.0
MIXES = (
    ("writing",),
    ("reading",),
    ("writing", "writing"),
    ("writing", "reading"),
    ("reading", "reading"),
    ("writing", "writing", "reading"),
    ("writing", "writing", "writing"),
    ("writing",) * 5,
)
KEPT: list[Any] = []
"""What graphs read."""
BATCHES = (1, 2, 4, 8, 16, 32, 64)


def layers(torch: Any) -> list[Any]:
    """Return the matrices of the layers."""
    shapes = [(HIDDEN, HIDDEN + 2 * KEYS), (HIDDEN, HIDDEN), (HIDDEN, 2 * FEED), (FEED, HIDDEN)]
    return [torch.randn(shape, dtype=torch.bfloat16, device="cuda") * 0.01 for _ in range(LAYERS) for shape in shapes]


def step_of(torch: Any, weights: list[Any], tokens: int) -> Any:
    """Return a step for so many tokens, as a CUDA graph: as vLLM runs small batches. It reads memory that lives on."""
    inputs = {size: torch.randn((tokens, size), dtype=torch.bfloat16, device="cuda") for size in (HIDDEN, FEED)}

    def run() -> None:
        for one in weights:
            torch.mm(inputs[one.shape[0]], one)

    for _ in range(3):
        run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    KEPT.append(inputs)
    return graph


def loop(torch: Any, graph: Any, seconds: float) -> float:
    """Return steps per second."""
    torch.cuda.synchronize()
    began, steps = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        for _ in range(4):
            graph.replay()
        torch.cuda.synchronize()
        steps += 4
    return steps / (time.monotonic() - began)


def worker(link: Connection) -> None:
    """Run what is asked for, when it is asked for."""
    import torch

    weights = layers(torch)
    graphs = {"writing": step_of(torch, weights, 1), "reading": step_of(torch, weights, PROMPT)}
    link.send("ready")
    while (what := link.recv()) is not None:
        loop(torch, graphs[what], 0.5)
        link.send(loop(torch, graphs[what], SECONDS))


def mixes() -> list[dict[str, Any]]:
    """Return for each mix the steps per second of each process, and its share of what it does alone."""
    context = multiprocessing.get_context("spawn")
    links, processes = [], []
    for _ in range(max(map(len, MIXES))):
        ours, theirs = context.Pipe()
        processes.append(context.Process(target=worker, args=(theirs,), daemon=True))
        processes[-1].start()
        links.append(ours)
    for link in links:
        link.recv()
    alone: dict[str, float] = {}
    found = []
    for mix in MIXES:
        for link, what in zip(links, mix, strict=False):
            link.send(what)
        rates = [link.recv() for link, _ in zip(links, mix, strict=False)]
        if len(mix) == 1:
            alone[mix[0]] = rates[0]
        shares = [rate / alone[what] for rate, what in zip(rates, mix, strict=True)]
        found.append({"mix": mix, "steps_per_second": rates, "shares": shares, "sum": sum(shares)})
        print(" + ".join(mix), " ".join(f"{share:.3f}" for share in shares), f"sum {sum(shares):.3f}", flush=True)
    for link, process in zip(links, processes, strict=True):
        link.send(None)
        process.join()
    return found


def batches() -> dict[int, float]:
    """Return by how much a step for so many sequences takes longer than one for one."""
    import torch

    weights = layers(torch)
    rates = {tokens: loop(torch, step_of(torch, weights, tokens), 1.0) for tokens in BATCHES}
    return {tokens: rates[1] / rate for tokens, rate in rates.items()}


def main() -> None:
    """Measure and print."""
    try:
        import torch
    except ImportError:
        sys.exit("there is no PyTorch here: nothing was measured")
    if not torch.cuda.is_available():
        sys.exit("there is no NVIDIA GPU here: nothing was measured")
    facts = {"card": torch.cuda.get_device_name(0), "torch": torch.__version__}
    print(json.dumps({**facts, "mixes": mixes(), "batch": batches()}))


if __name__ == "__main__":
    main()
