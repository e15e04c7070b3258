#!/usr/bin/env bash
# The gateway's benchmark on a Linux machine of the same processor that reaches no package registry.
#   offline.sh pack FOLDER [PYTHON]   here: put the load program and wheels for Python PYTHON (default 3.12) into FOLDER
#   offline.sh run FOLDER [ARGUMENTS] there, in a copy of the repository with FOLDER: install from it and measure
# nginx and LiteLLM are left out there, unless nginx is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

case "${1:?pack or run}" in
  pack)
    folder=${2:?a folder} python=${3:-3.12}
    mkdir -p "$folder"
    .venv/bin/python -c 'import shutil, sys; from modelpool_bench_gateway import load
shutil.copy2(load.build(print), sys.argv[1])' "$folder/load"
    platforms=(manylinux_2_{28,27,26,17}_x86_64 manylinux2014_x86_64)
    for lock in requirements/sidecar.lock bench/gateway/peers/vllm-router.lock; do
      .venv/bin/python -m pip download --quiet --no-deps --only-binary=:all: --python-version "$python" \
        --implementation cp "${platforms[@]/#/--platform=}" --dest "$folder/$(basename "$lock" .lock)" --require-hashes -r "$lock"
    done
    ;;
  run)
    folder=$(realpath "${2:?a folder}")
    shift 2
    scratch=$(mktemp -d)
    export XDG_CACHE_HOME=$scratch/cache PYTHONPATH=$scratch/sidecar
    for name in sidecar vllm-router; do
      python3 -m pip install --quiet --no-index --no-deps --no-compile --target "$scratch/$name" "$folder/$name"/*.whl
    done
    PYTHONPATH+=:$PWD/sidecar:$PWD/bench/gateway:$PWD/e2e/cluster
    python3 - "$folder/load" "$scratch/vllm-router" <<'PLACE'
import shutil
import sys
from pathlib import Path

from modelpool_bench_gateway import installing, load

place = load.place()
place.parent.mkdir(parents=True)
shutil.copy2(sys.argv[1], place)
router = installing.venv("vllm-router")
(router / "bin").mkdir(parents=True)
program = router / "bin" / "vllm-router"
program.write_text(f'#!/bin/sh\nPYTHONPATH={sys.argv[2]} exec {sys.executable} -c "from vllm_router.launch_router import main; main()" "$@"\n')
program.chmod(0o755)
(router / ".complete").touch()
PLACE
    peers="gateway vllm-router"
    PATH=$PATH:/usr/sbin command -v nginx >/dev/null && peers+=" nginx"
    exec python3 -m modelpool_bench_gateway --peers "$peers" "$@"
    ;;
esac
