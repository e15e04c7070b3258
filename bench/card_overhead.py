"""What one engine process takes on a card outside vLLM's fraction: CUDA context, cuBLAS and NCCL handles.

Needs an NVIDIA GPU and PyTorch. Prints GiB of the card's memory after each step, for one, two and three processes on
the same card, as `nvidia-smi` and `cudaMemGetInfo` see it. The planner's context overhead stands on these figures
(docs/performance.md).

    python bench/card_overhead.py
"""

import json
import multiprocessing
import os
import socket
from multiprocessing.connection import Connection

GIB = 1024**3


def free_of_card() -> int:
    """Return the card's free memory in bytes, without a CUDA context of this process."""
    import pynvml

    pynvml.nvmlInit()
    try:
        return int(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).free)
    finally:
        pynvml.nvmlShutdown()


def engine(pipe: Connection, port: int) -> None:
    """Do, step by step, what an engine does before its first measurement of free memory."""
    import torch

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    pipe.recv()
    torch.cuda.init()
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    pipe.send("CUDA context")
    pipe.recv()
    torch.distributed.init_process_group("nccl", rank=0, world_size=1)
    torch.distributed.all_reduce(torch.zeros(1, device="cuda"))
    torch.cuda.synchronize()
    pipe.send("NCCL")
    pipe.recv()
    a = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
    b = a @ a
    torch.cuda.synchronize()
    del a, b
    torch.cuda.empty_cache()
    pipe.send("cuBLAS")
    pipe.recv()
    torch.distributed.destroy_process_group()


def free_port() -> int:
    """Return a port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Measure and print, last line JSON."""
    import torch

    context = multiprocessing.get_context("spawn")
    figures: list[dict[str, object]] = []
    running = []
    for count in (1, 2, 3):
        ours, theirs = context.Pipe()
        process = context.Process(target=engine, args=(theirs, free_port()))
        process.start()
        before = free_of_card()
        for _ in range(3):
            ours.send(None)
            step = ours.recv()
            taken = (before - free_of_card()) / GIB
            figures.append({"process": count, "after": step, "gib": round(taken, 3)})
            print(f"process {count}, after {step}: {taken:.3f} GiB")
        running.append((process, ours))
    for process, ours in running:
        ours.send(None)
        process.join()
    name, total = torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory
    print(json.dumps({"card": name, "total_gib": round(total / GIB, 2), "torch": torch.__version__, "steps": figures}))


if __name__ == "__main__":
    main()
