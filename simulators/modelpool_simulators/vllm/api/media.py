"""What media a request may name by URL: by `--allowed-media-domains` and `--allowed-local-media-path`, in vLLM's words.

Nothing is fetched here: what the engine would fetch counts as fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..flags import Flags
from .errors import RequestError

_FIELDS = {
    "image_url": "image_url",
    "audio_url": "audio_url",
    "video_url": "video_url",
    "input_image": "image_url",
    "image": "source",
}


def check(conversation: Sequence[Mapping[str, Any]], flags: Flags) -> None:
    """Look at all media of a conversation. Raises RequestError when one may not be loaded."""
    for url in _urls(conversation):
        if url[:5].lower() == "data:":
            continue
        try:
            parts = urlsplit(url)
        except ValueError:
            raise RequestError(f"Failed to parse: {url}") from None
        if parts.scheme.startswith("http"):
            if flags.media_domains and parts.hostname not in flags.media_domains:
                raise RequestError(
                    f"The URL must be from one of the allowed domains: {list(flags.media_domains)}."
                    f" Input URL domain: {parts.hostname}"
                )
        elif parts.scheme != "file":
            raise RequestError("The URL must be either a HTTP, data or file URL.")
        elif flags.media_folder is None:
            raise RequestError("Cannot load local files without `--allowed-local-media-path`.")


def _urls(conversation: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for message in conversation:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if isinstance(part, Mapping) and (field := _FIELDS.get(str(part.get("type")))) is not None:
                found = part.get(field)
                url = found.get("url") if isinstance(found, Mapping) else found
                if isinstance(url, str):
                    yield url
