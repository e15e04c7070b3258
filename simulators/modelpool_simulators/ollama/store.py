"""The models on disk: list, details, blobs.

Kept in `models.json` and `blobs/` below OLLAMA_MODELS, so that they outlive the process as the real server's do.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from .. import catalog
from . import names


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model as the store keeps it."""

    name: str
    """Short form, with the tag."""
    base: str
    """The name it was first pulled under; decides what it can do."""
    size: int
    modified: int
    """Nanoseconds since 1970."""
    parent: str = ""
    template: str = "{{ .Prompt }}"
    system: str = ""
    license: str = ""
    parameters: dict[str, Any] = {}

    @property
    def digest(self) -> str:
        """Changes with everything that makes the model, not with its name."""
        parts = repr((self.base, self.template, self.system, self.license, sorted(self.parameters.items())))
        return hashlib.sha256(parts.encode()).hexdigest()

    @property
    def blob(self) -> str:
        """Digest of the weights."""
        return hashlib.sha256(self.base.encode()).hexdigest()

    @property
    def known(self) -> catalog.Model:
        """What the catalogue says about the weights; Ollama's default is about four bits."""
        return catalog.look_up(self.base, bytes_per_parameter=_BYTES_PER_PARAMETER)

    @property
    def family(self) -> str:
        """The architecture's name, from the model's."""
        model = names.parse(self.base).model.lower().split("-")[0]
        return {"cogito": "llama", "qwen2.5vl": "qwen25vl", "scripted": "qwen3", "embed": "qwen3"}.get(model, model)

    @property
    def quantization(self) -> str:
        """As `ollama show` writes it."""
        tag = names.parse(self.base).tag.upper()
        return next((part for part in ("F16", "Q8_0", "Q4_0", "FP16") if part in tag), "Q4_K_M")

    def capabilities(self) -> list[str]:
        """What requests may ask of it, in the order of /api/show."""
        known = self.known
        if known.embedding:
            return ["embedding"]
        tools = [] if self.family.startswith("gemma") else ["tools"]
        return [
            *tools,
            *(["thinking"] if known.thinking else []),
            "completion",
            *(["vision"] if known.vision else []),
        ]

    def details(self) -> dict[str, Any]:
        """The `details` of tags, ps and show."""
        return {
            "parent_model": self.parent,
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.known.parameters,
            "quantization_level": self.quantization,
        }


_BYTES_PER_PARAMETER = 0.65


class Store:
    """All models, by name."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._models: dict[str, Model] = {}
        self._blobs: set[str] = set()
        self._read: tuple[int, int] | None = None
        """Which `models.json` is known: its inode and when it was written."""
        if folder is not None:
            (folder / "blobs").mkdir(parents=True, exist_ok=True)
            self._refresh()

    def all(self) -> list[Model]:
        """Return every model, the last changed first."""
        self._refresh()
        return sorted(self._models.values(), key=lambda model: model.modified, reverse=True)

    def find(self, name: str) -> Model | None:
        """Return the model of this name, or None; also for names that cannot be one."""
        self._refresh()
        try:
            return self._models.get(names.parse(name).key)
        except names.InvalidNameError:
            return None

    def offered(self, name: str) -> Model:
        """Describe a model as the registry has it."""
        short = names.parse(name).short
        known = catalog.look_up(short, bytes_per_parameter=_BYTES_PER_PARAMETER)
        return Model(name=short, base=short, size=known.weights, modified=time.time_ns())

    def pulled(self, name: str) -> Model:
        """Add a model as it comes from the registry."""
        model = self.offered(name)
        self._put(model)
        return model

    def derive(self, name: str, source: Model, changes: Mapping[str, Any]) -> Model:
        """Add a model made from another one."""
        model = msgspec.structs.replace(
            source, name=names.parse(name).short, parent=source.name, modified=time.time_ns(), **changes
        )
        self._put(model)
        return model

    def copy(self, source: Model, name: str) -> None:
        """Give a model a second name."""
        self._put(msgspec.structs.replace(source, name=names.parse(name).short, modified=time.time_ns()))

    def delete(self, model: Model) -> None:
        """Forget a model."""
        self._refresh()
        self._models.pop(names.parse(model.name).key, None)
        self._save()

    def has_blob(self, digest: str) -> bool:
        """Tell whether a blob is there, be it uploaded or a model's weights."""
        return digest in self._blobs or digest in {model.blob for model in self._models.values()}

    def add_blob(self, digest: str, content: bytes) -> None:
        """Keep an uploaded blob."""
        self._blobs.add(digest)
        if self._folder is not None:
            (self._folder / "blobs" / f"sha256-{digest}").write_bytes(content)

    def blob_path(self, model: Model) -> str:
        """Where the weights would lie."""
        return f"{self._folder or '/usr/share/ollama/.ollama/models'}/blobs/sha256-{model.blob}"

    def _refresh(self) -> None:
        """Read the list again when another server of the folder has written it."""
        if self._folder is None:
            return
        path = self._folder / "models.json"
        try:
            found = path.stat()
        except FileNotFoundError:
            return
        if (read := (found.st_ino, found.st_mtime_ns)) != self._read:
            kept = msgspec.json.decode(path.read_bytes(), type=list[Model])
            self._models = {names.parse(model.name).key: model for model in kept}
            self._read = read

    def _put(self, model: Model) -> None:
        self._refresh()
        self._models[names.parse(model.name).key] = model
        self._save()

    def _save(self) -> None:
        if self._folder is not None:
            fresh = self._folder / "models.json.new"
            fresh.write_bytes(msgspec.json.encode(list(self._models.values())))
            fresh.replace(self._folder / "models.json")
