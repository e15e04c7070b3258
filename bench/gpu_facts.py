"""What the planner assumes of a card, measured on the first GPU of this machine.

    python bench/gpu_facts.py                                  measure; the last line is JSON
    python bench/gpu_facts.py --from FILE --docs PAGE.md       put measured figures (a file with that line) into a page

Measures what a process holds beside what it allocates (CUDA context, cuBLAS, NCCL), alone and with neighbours; what a
neighbour's allocation does to the free memory that a process sees; and how the card's arithmetic and bandwidth split
among three processes. Needs an NVIDIA GPU, PyTorch, and pynvml or nvidia-smi; without a card it says so and measures
nothing. Nothing of this repository is imported, so the file runs where only PyTorch is.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

GIB = 1024**3
MIB = 1024**2
PROCESSES = 3
ANSWER_SECONDS = 180.0
"""How long a process may take for one step; the first use of a library compiles and loads."""
RUN_SECONDS = 5.0
NEIGHBOUR_BYTES = 2 * GIB
SIDE = 4096
"""Of the square matrices that are multiplied."""
BLOCK_BYTES = 256 * MIB
"""That are read and written at a time when bandwidth is measured."""

Facts = dict[str, Any]


class MeasuringError(Exception):
    """Something could not be measured; the text says what."""


# -- what the driver says ---------------------------------------------------------------------------------------------


def driver_says() -> Facts:
    """Return name, driver and memory of the first visible card, without opening a CUDA context.

    Raises MeasuringError when there is no card, or nothing to ask.
    """
    try:
        import pynvml
    except ImportError:
        return _smi_says()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise MeasuringError(f"the driver does not answer: {error}") from None
    try:
        if pynvml.nvmlDeviceGetCount() == 0:
            raise MeasuringError("there is no NVIDIA GPU")
        handle = _handle(pynvml)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        return {
            "card": _text(pynvml.nvmlDeviceGetName(handle)),
            "driver": _text(pynvml.nvmlSystemGetDriverVersion()),
            "memory_mib": int(memory.total) // MIB,
            "free": int(memory.free),
        }
    finally:
        pynvml.nvmlShutdown()


def _handle(pynvml: Any) -> Any:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    if chosen.startswith(("GPU-", "MIG-")):
        return pynvml.nvmlDeviceGetHandleByUUID(chosen)
    return pynvml.nvmlDeviceGetHandleByIndex(int(chosen) if chosen.isdecimal() else 0)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _smi_says() -> Facts:
    program = shutil.which("nvidia-smi")
    if program is None:
        raise MeasuringError("there is neither pynvml nor nvidia-smi to ask for an NVIDIA GPU")
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"
    fields = "--query-gpu=name,driver_version,memory.total,memory.free"
    command = [program, f"--id={chosen}", fields, "--format=csv,noheader,nounits"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    parts = [part.strip() for part in asked.stdout.strip().splitlines()[0].split(",")] if asked.stdout.strip() else []
    if asked.returncode != 0 or len(parts) != 4:
        raise MeasuringError(f"nvidia-smi shows no GPU: {(asked.stderr or asked.stdout).strip()}")
    return {"card": parts[0], "driver": parts[1], "memory_mib": int(parts[2]), "free": int(parts[3]) * MIB}


def free_of_card() -> int:
    """Return the card's free memory in bytes, device wide."""
    return int(driver_says()["free"])


def settled_free() -> int:
    """Return the card's free memory once it no longer changes: what has ended gives back a little later."""
    deadline, last = time.monotonic() + 30, free_of_card()
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = free_of_card()
        if now == last:
            return now
        last = now
    return last


# -- processes on the card --------------------------------------------------------------------------------------------


def work(pipe: Connection) -> None:
    """Do one step after the other as the pipe asks, and answer each with `("ok", value)` or `("error", text)`."""
    state: dict[str, Any] = {}
    while True:
        try:
            step, argument = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("ok", STEPS[step](state, argument)))
        except Exception:
            pipe.send(("error", f"{step}: {traceback.format_exc(limit=3)}"))


def _context(state: dict[str, Any], _: Any) -> Facts:
    import torch

    state["torch"] = torch
    torch.cuda.init()
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "torch_total": torch.cuda.get_device_properties(0).total_memory,
        "capability": ".".join(str(part) for part in torch.cuda.get_device_capability(0)),
    }


def _cublas(state: dict[str, Any], _: Any) -> None:
    torch = state["torch"]
    left = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16)
    result = left @ left
    torch.cuda.synchronize()
    del left, result
    torch.cuda.empty_cache()


def _nccl(state: dict[str, Any], port: int) -> None:
    torch = state["torch"]
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("nccl", rank=0, world_size=1)
    torch.distributed.all_reduce(torch.zeros(1, device="cuda"))
    torch.cuda.synchronize()
    torch.cuda.empty_cache()


def _free(state: dict[str, Any], _: Any) -> int:
    return int(state["torch"].cuda.mem_get_info()[0])


def _take(state: dict[str, Any], amount: int) -> None:
    torch = state["torch"]
    state["taken"] = torch.empty(amount, dtype=torch.uint8, device="cuda")
    torch.cuda.synchronize()


def _give(state: dict[str, Any], _: Any) -> None:
    del state["taken"]
    state["torch"].cuda.empty_cache()
    state["torch"].cuda.synchronize()


def _compute(state: dict[str, Any], seconds: float) -> float:
    """Return multiplications' TFLOP/s over so many seconds."""
    torch = state["torch"]
    left = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16)
    result = torch.empty_like(left)
    rounds, took = _repeat(torch, lambda: torch.matmul(left, left, out=result), seconds)
    return float(rounds * 2 * SIDE**3 / took / 1e12)


def _memory(state: dict[str, Any], seconds: float) -> float:
    """Return GB/s read and written by copies over so many seconds, which is what decoding is bound by."""
    torch = state["torch"]
    source = torch.zeros(BLOCK_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    rounds, took = _repeat(torch, lambda: target.copy_(source), seconds)
    return float(rounds * 2 * BLOCK_BYTES / took / 1e9)


def _repeat(torch: Any, act: Callable[[], object], seconds: float) -> tuple[int, float]:
    for _ in range(5):
        act()
    torch.cuda.synchronize()
    began, rounds = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(20):
            act()
        rounds += 20
        torch.cuda.synchronize()
    return rounds, time.perf_counter() - began


STEPS: dict[str, Callable[[dict[str, Any], Any], Any]] = {
    "context": _context,
    "cublas": _cublas,
    "nccl": _nccl,
    "free": _free,
    "take": _take,
    "give": _give,
    "compute": _compute,
    "memory": _memory,
}


class Worker:
    """A process on the card, as the parent sees it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, step: str, argument: Any = None) -> None:
        """Ask for a step and do not wait."""
        self.pipe.send((step, argument))

    def answer(self, step: str, seconds: float = ANSWER_SECONDS) -> Any:
        """Return the value of the step that was asked for. Raises MeasuringError."""
        try:
            if not self.pipe.poll(seconds):
                raise MeasuringError(f"no answer to {step} within {seconds:.0f} s")
            verdict, value = self.pipe.recv()
        except (EOFError, ConnectionError):
            raise MeasuringError(f"the process died in {step}") from None
        if verdict == "error":
            raise MeasuringError(str(value))
        return value

    def do(self, step: str, argument: Any = None) -> Any:
        """Ask for a step and return its value. Raises MeasuringError."""
        self.ask(step, argument)
        return self.answer(step)

    def end(self) -> None:
        """End the process, however."""
        self.pipe.close()
        self.process.join(timeout=10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextlib.contextmanager
def workers(count: int) -> Iterator[list[Worker]]:
    """Run processes; end them whatever happens."""
    running: list[Worker] = []
    try:
        while len(running) < count:
            running.append(Worker())
        yield running
    finally:
        for worker in running:
            worker.end()


# -- the measurements -------------------------------------------------------------------------------------------------


def overhead() -> tuple[Facts, list[Facts]]:
    """Return what PyTorch says of the card, and what each of several processes takes, in GiB by step."""
    about: Facts = {}
    found: list[Facts] = []
    with workers(PROCESSES) as running:
        for worker in running:
            before = settled_free()
            steps: Facts = {}
            about = worker.do("context")
            steps["context"], before = _taken(before)
            worker.do("cublas")
            steps["cublas"], before = _taken(before)
            try:
                worker.do("nccl", _free_port())
                steps["nccl"], before = _taken(before)
            except MeasuringError as error:
                steps["nccl"] = None
                print(f"NCCL was not measured: {str(error).splitlines()[-1]}", file=sys.stderr)
            found.append(steps)
            print(f"process {len(found)}: {steps}", file=sys.stderr)
    return about, found


def _taken(before: int) -> tuple[float, int]:
    now = settled_free()
    return round((before - now) / GIB, 3), now


def neighbour() -> Facts:
    """Return by how many GiB the free memory that one process sees changes when another takes and gives some."""
    with workers(2) as (watcher, other):
        for worker in (watcher, other):
            worker.do("context")
        before = watcher.do("free")
        other.do("take", NEIGHBOUR_BYTES)
        during = watcher.do("free")
        other.do("give")
        after = watcher.do("free")
    return {
        "allocated_gib": NEIGHBOUR_BYTES / GIB,
        "seen_less_gib": round((before - during) / GIB, 3),
        "seen_back_gib": round((after - during) / GIB, 3),
    }


def split(step: str) -> Facts:
    """Return the rate of one process alone and of several at the same time."""
    with workers(PROCESSES) as running:
        for worker in running:
            worker.do("context")
        alone = running[0].do(step, RUN_SECONDS)
        for worker in running:
            worker.ask(step, RUN_SECONDS)
        together = [worker.answer(step) for worker in running]
    return {
        "alone": round(alone, 1),
        "together": [round(rate, 1) for rate in together],
        "sum": round(sum(together), 1),
        "sum_of_alone": round(sum(together) / alone, 3),
    }


def measure() -> Facts:
    """Return all facts. Raises MeasuringError."""
    card = driver_says()
    try:
        import torch
    except ImportError:
        raise MeasuringError("PyTorch is not installed in this Python") from None
    if not torch.backends.cuda.is_built():
        raise MeasuringError(f"PyTorch {torch.__version__} is built without CUDA")
    about, taken = overhead()
    return {
        **{key: card[key] for key in ("card", "driver", "memory_mib")},
        "torch_total_gib": round(about["torch_total"] / GIB, 2),
        **{key: about[key] for key in ("torch", "cuda", "capability")},
        "overhead_gib": taken,
        "neighbour": neighbour(),
        "compute_tflops": split("compute"),
        "copy_gb_per_second": split("memory"),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- the page ---------------------------------------------------------------------------------------------------------


def section(facts: Facts) -> str:
    """Return the page's section on one card."""

    def row(name: str, values: list[Any]) -> str:
        return f"| {name} | {' | '.join('not measured' if one is None else f'{one:.2f}' for one in values)} |"

    steps = facts["overhead_gib"]
    numbers = range(1, len(steps) + 1)
    next_to, compute, copies = facts["neighbour"], facts["compute_tflops"], facts["copy_gb_per_second"]
    return "\n".join(
        [
            f"## {facts['card']}",
            "",
            (
                f"Driver {facts['driver']}, PyTorch {facts['torch']} with CUDA {facts['cuda']}. The driver reports"
                f" {facts['memory_mib']} MiB, PyTorch {facts['torch_total_gib']:.2f} GiB."
            ),
            "",
            f"| GiB of the card taken by | {' | '.join(f'process {number}' for number in numbers)} |",
            f"|---|{'---|' * len(steps)}",
            row("the CUDA context", [one["context"] for one in steps]),
            row("cuBLAS, at the first bfloat16 multiplication", [one["cublas"] for one in steps]),
            row("an NCCL communicator of one rank", [one["nccl"] for one in steps]),
            "",
            (
                f"A neighbour that allocates {next_to['allocated_gib']:.2f} GiB takes"
                f" {next_to['seen_less_gib']:.2f} GiB from the free memory that a process sees; when it frees them,"
                f" {next_to['seen_back_gib']:.2f} GiB come back."
            ),
            "",
            "| rate | one process alone | each of three at once | together |",
            "|---|---|---|---|",
            _rates("bfloat16 multiplications, TFLOP/s", compute),
            _rates("copies in memory, GB/s read and written", copies),
            "",
        ]
    )


def _rates(name: str, found: Facts) -> str:
    each = ", ".join(f"{rate:.0f}" for rate in found["together"])
    return f"| {name} | {found['alone']:.0f} | {each} | {found['sum']:.0f} ({found['sum_of_alone']:.0%}) |"


def with_section(page: str, facts: Facts) -> str:
    """Return the page with the card's section in place of its former one, or before the conclusions."""
    new, head = section(facts), re.escape(f"## {facts['card']}")
    old = re.compile(rf"^{head}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if old.search(page):
        return old.sub(lambda _: new + "\n", page, count=1)
    before, mark, after = page.partition("## What follows")
    return f"{before}{new}\n{mark}{after}"


def main() -> int:
    """Measure and print, or write measured figures into a page."""
    parser = argparse.ArgumentParser(description="Measure what the planner assumes of a card.")
    parser.add_argument("--from", dest="source", type=Path, help="a file whose last line is what this program printed")
    parser.add_argument("--docs", type=Path, help="the page that shows the figures")
    options = parser.parse_args()
    try:
        if options.source is not None:
            facts: Facts = json.loads(options.source.read_text().strip().splitlines()[-1])
        else:
            facts = measure()
    except MeasuringError as error:
        print(f"Nothing was measured: {error}", file=sys.stderr)
        print(json.dumps({"card": None, "why": str(error)}))
        return 0
    if options.docs is not None and facts.get("card"):
        options.docs.write_text(with_section(options.docs.read_text(), facts))
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
