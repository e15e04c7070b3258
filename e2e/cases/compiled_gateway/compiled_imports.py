"""A pytest plugin: writes down where each of the gateway's modules came from, when the tests are over."""

import json
import os
import sys
from pathlib import Path

PLACE = "MODELPOOL_IMPORTED"
"""The variable that names the file; it holds a JSON object of modules and files."""


def pytest_sessionfinish() -> None:
    modules = {name: module for name, module in sys.modules.items() if name.startswith("modelpool_sidecar")}
    files = {name: str(getattr(module, "__file__", None)) for name, module in modules.items()}
    Path(os.environ[PLACE]).write_text(json.dumps(files))
