"""So much of PyTorch as `bench/gpu_facts.py` calls, without a card: a card is a file with its free bytes."""

import fcntl
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

__version__ = "0.0-pretended"
version = SimpleNamespace(cuda="0.0")
bfloat16, uint8 = "bfloat16", "uint8"
backends = SimpleNamespace(cuda=SimpleNamespace(is_built=lambda: True))

_CARD = Path(os.environ["PRETENDED_CARD"])
_MIB = 1024**2


def _take(amount: int) -> None:
    with _CARD.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        left = int(file.read()) - amount
        file.seek(0)
        file.truncate()
        file.write(str(left))


class Tensor:
    """Holds memory of the card until it is let go."""

    def __init__(self, amount: int) -> None:
        self.amount = amount
        _take(amount)

    def __del__(self) -> None:
        _take(-self.amount)

    def __matmul__(self, other: "Tensor") -> "Tensor":
        if not _state.cublas:
            _state.cublas = True
            _take(100 * _MIB)
        return Tensor(other.amount)

    def copy_(self, other: "Tensor") -> None:
        """Copy."""


_state = SimpleNamespace(cublas=False)


def zeros(*size: int, **_: Any) -> Tensor:
    """Return a tensor of bytes."""
    return Tensor(size[0])


empty = zeros


def randn(rows: int, columns: int, **_: Any) -> Tensor:
    """Return a tensor of 16 bit numbers."""
    return Tensor(rows * columns * 2)


def empty_like(other: Tensor) -> Tensor:
    """Return a tensor as large."""
    return Tensor(other.amount)


def matmul(_left: Tensor, _right: Tensor, *, out: Tensor) -> Tensor:
    """Multiply into `out`."""
    return out


cuda = SimpleNamespace(
    init=lambda: _take(600 * _MIB),
    synchronize=lambda: None,
    empty_cache=lambda: None,
    mem_get_info=lambda: (int(_CARD.read_text()), 0),
    get_device_properties=lambda _: SimpleNamespace(total_memory=24 * 1024 * _MIB),
    get_device_capability=lambda _: (0, 0),
)
distributed = SimpleNamespace(init_process_group=lambda *_, **__: _take(550 * _MIB), all_reduce=lambda _: None)
