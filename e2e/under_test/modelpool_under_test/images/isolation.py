"""How builders are run: alone with their mounts and processes, so that nothing of them outlives a killed run."""

from __future__ import annotations

from typing import Final

ALONE: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", "--")
"""Begins the command. Its process takes all that it started with it, and so do its mounts."""
