"""Programs that run beside engines, shipped as text. They know nothing of this package and import nothing of it."""

from importlib.resources import files
from typing import Final

START_ENGINE: Final = files(__name__).joinpath("start_engine.py").read_text(encoding="utf-8")
"""The program that starts an engine once its cards are free. A constant of the package, not a file that may change."""
