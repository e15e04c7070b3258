"""Run the targets: `python -m modelpool_sidecar.tests.fuzzing SECONDS [TARGET ...]`.

The seconds are shared by the targets, each in a process of its own under atheris. Input that reached new code is added
to the corpus, at most so many files per target, the shortest first; input that failed is kept as `failed-…`. Prints
one line per target and exits with 1 when one failed.
"""

import hashlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from .seeds import seeds
from .targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
_KEPT = 40
_LONGEST = 2000
_SLOW_SECONDS = 10
"""One input that takes longer than this counts as a hang."""
_RUNS = re.compile(r"(?:executed_units: |Done )(\d+)")
_EDGES = re.compile(r"cov: (\d+)")


def run(name: str, seconds: int) -> bool:
    """Search in a process of its own; whether nothing failed."""
    kept = CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        found, begin = Path(folder, "found"), Path(folder, "seeds")
        found.mkdir()
        begin.mkdir()
        for place, seed in enumerate(seeds(name)):
            (begin / f"{place:04}").write_bytes(seed)
        options = (
            *(f"-max_total_time={seconds}", f"-timeout={_SLOW_SECONDS}", "-rss_limit_mb=2048", "-max_len=4096"),
            *("-print_final_stats=1", f"-artifact_prefix={kept}/failed-"),
        )
        command = [sys.executable, "-m", f"{__package__}.search", name, *options]
        done = subprocess.run(
            [*command, str(found), str(kept), str(begin)], capture_output=True, text=True, check=False
        )
        _keep(found, kept)
    runs, edges = (one.findall(done.stderr) or ["0"] for one in (_RUNS, _EDGES))
    sys.stdout.write(f"{name}: {runs[-1]} runs, {edges[-1]} edges, {'failed' if done.returncode else 'ok'}\n")
    sys.stdout.write(done.stderr[-4000:] if done.returncode else "")
    sys.stdout.flush()
    return done.returncode == 0


def _keep(found: Path, kept: Path) -> None:
    """Add the shortest of what was found, up to the number that is kept."""
    there = [file for file in kept.iterdir() if not file.name.startswith("failed-")]
    known = {file.read_bytes() for file in there}
    fresh = sorted((file.read_bytes() for file in found.iterdir()), key=lambda data: (len(data), data))
    for data in fresh[: max(0, _KEPT - len(there))]:
        if data not in known and len(data) <= _LONGEST:
            (kept / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def main(arguments: list[str]) -> int:
    """Share the seconds among the targets."""
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("atheris is not installed: it has wheels for Linux on x86-64 and Python up to 3.13\n")
        return 2
    names = arguments[1:] or list(TARGETS)
    failed = [name for name in names if not run(name, max(1, int(arguments[0]) // len(names)))]
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
