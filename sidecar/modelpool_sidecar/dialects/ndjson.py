"""Newline-delimited JSON: a line ends at LF, and nowhere else."""


def encode(document: bytes) -> bytes:
    """One JSON text as a line."""
    return document + b"\n"
