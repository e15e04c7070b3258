"""Asks a program that was given what it is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def version_told(program: Path) -> str:
    """Return what a program calls itself, such as v1.36.3; empty when it does not say."""
    question = ["version", "--client"] if program.name == "kubectl" else ["--version"]
    try:
        told = subprocess.run([program, *question], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"\bv?(\d+\.\d+\.\d+)", told)
    return f"v{found[1]}" if found else ""
