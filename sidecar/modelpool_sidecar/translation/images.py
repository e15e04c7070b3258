"""Ollama's bare base64 images as the data URIs that OpenAI's API wants."""

import base64
import re
from typing import Final

from ..http.errors import BadRequestError

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_HEAD_CHARACTERS: Final = 24
"""Base64 characters that hold every signature."""
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_OUTSIDE: Final = re.compile(r"[^A-Za-z0-9+/=]")


def data_uri(encoded: str) -> str:
    """The image with its type, which is read from its first bytes. Raises BadRequestError, worded as by Ollama."""
    text = encoded.replace("\r", "").replace("\n", "")
    if not _is_base64(text):
        stray = _OUTSIDE.search(text)
        raise BadRequestError(f"illegal base64 data at input byte {stray.start() if stray else len(text)}")
    head = base64.b64decode(text[:_HEAD_CHARACTERS])
    return f"data:{_type(head)};base64,{text}"


def _is_base64(text: str) -> bool:
    """Whether it can be decoded. It is not, because that takes four times as long, and as much memory again."""
    if len(text) % 4 or not text.isascii():
        return False
    padding = text.encode().translate(None, _ALPHABET)
    return padding in (b"", b"=", b"==") and text.endswith(padding.decode())


def _type(head: bytes) -> str:
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    raise BadRequestError("image: unknown format")
