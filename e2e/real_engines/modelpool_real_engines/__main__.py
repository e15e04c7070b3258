"""`python -m modelpool_real_engines`: install both engines and make their models; what is there already is left.

With `page`: write the reference page of known differences to the standard output.
"""

import sys
from typing import Final

from . import differences, models, ollama, vllm
from .commands import CommandError

_PARTS: Final = {
    "Ollama": ollama.install,
    "vLLM": vllm.install,
    "models": models.make,
    "real models": models.make_real,
}


def main() -> int:
    """0 when all is there, else 1 after quoting the command that failed."""
    if sys.argv[1:] == ["page"]:
        sys.stdout.write(differences.page())
        return 0
    try:
        for name, install in _PARTS.items():
            path = install()
            sys.stdout.write(f"{name}: {path}\n")
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
