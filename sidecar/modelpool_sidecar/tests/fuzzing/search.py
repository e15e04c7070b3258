"""One target in this process, until libFuzzer's time is over: `python -m …fuzzing.search TARGET OPTIONS…`.

Nothing of the gateway may be imported before atheris, which instruments what is imported after it.
"""

import sys

import atheris

with atheris.instrument_imports(include=["modelpool_sidecar"]):
    from modelpool_sidecar.tests.fuzzing.targets import TARGETS

atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
atheris.Fuzz()
