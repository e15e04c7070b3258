"""The body of a request as a value, whatever its format: it knows its model and can name another."""

from typing import Final

import msgspec

from ..http.errors import BadRequestError
from . import go_decoding
from .body_facts import BodyFacts, facts_of
from .body_fields import Prefix
from .dialect import Dialect, Operation
from .form_data import Form
from .model_field import replace_model

_FORMS: Final = Operation.TRANSCRIBE
"""What is asked with `multipart/form-data`; everything else is JSON."""
_OLLAMA: Final = Dialect.OLLAMA
_PREFIX: Final = msgspec.json.Decoder(Prefix)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class RequestBody:
    """A body that has been read. Its content is sent on as it came, but for the model's name."""

    light = True
    """Whether nothing that is done with it takes long: for whoever reads it to set."""

    def __init__(self, content: bytes, facts: BodyFacts) -> None:
        self.content = content
        self.facts = facts

    def renamed(self, model: str) -> bytes:
        """The content with another model's name, and not one byte more. Raises BadRequestError."""
        raise NotImplementedError

    def prefix(self, most_bytes: int) -> bytes:
        """What the prompt begins with, as sent: requests alike in it may share an engine's cache. Empty for none."""
        return b""


class JsonBody(RequestBody):
    """An object of JSON."""

    def renamed(self, model: str) -> bytes:
        """See `RequestBody`."""
        return replace_model(self.content, model)

    def prefix(self, most_bytes: int) -> bytes:
        """See `RequestBody`."""
        try:
            found = _PREFIX.decode(self.content)
        except _UNREADABLE:
            return b""
        for raw in (found.messages, found.prompt, found.input):
            begun = bytes(memoryview(raw)[:most_bytes])
            if begun:
                return begun
        return b""


class FormBody(RequestBody):
    """Fields and files of `multipart/form-data`."""

    def __init__(self, content: bytes, form: Form) -> None:
        model = form.text("model")
        stream = form.text("stream").lower() == "true"
        super().__init__(
            content,
            BodyFacts(model=model, stream=stream, images=False, tools=False, thinking=None, keep_alive_s=None),
        )
        self._form = form

    def renamed(self, model: str) -> bytes:
        """See `RequestBody`."""
        return self._form.replaced("model", model.encode())


def read_body(content: bytes, content_type: str, dialect: Dialect, operation: Operation) -> RequestBody:
    """Read a body. `content_type`: the header, or empty. Raises BadRequestError, in the caller's dialect's words.

    In Ollama's dialect what its decoder reads is read, and made well-formed where it could not be read as it came.
    """
    if operation is _FORMS:
        return FormBody(content, Form(content, content_type))
    try:
        return JsonBody(content, facts_of(content, dialect, operation))
    except BadRequestError:
        if dialect is not _OLLAMA:
            raise
        read = go_decoding.well_formed(content)
        if read == content:
            raise
    return JsonBody(read, facts_of(read, dialect, operation))
