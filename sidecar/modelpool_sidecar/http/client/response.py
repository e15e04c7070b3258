"""The head of an answer, and who takes its body."""

from .. import headers
from ..headers import Headers


class Enough(Exception):  # noqa: N818 -- no error
    """Raised by a Receiver that needs no more: the body counts as poured, whatever else comes of it."""


class ResponseHead:
    """The head of an answer. Read-only, because it may be that of many answers."""

    __slots__ = ("headers", "kept", "kind", "status")

    def __init__(self, status: int, given: Headers) -> None:
        self.status = status
        """The HTTP status."""
        self.headers = given
        """In order, repeated ones repeated, without `headers.EACH_ITS_OWN`."""
        self.kind = (headers.first(given, "Content-Type") or "").partition(";")[0].strip().lower()
        """The type of the body."""
        self.kept: bytes | None = None
        """What of the headers goes on to the caller: for whoever passes them on to remember."""


class Receiver:
    """What a body is poured into. A class and no protocol: compiled, its method is called without a look-up."""

    def take(self, piece: bytes, framed: bytes | None) -> None:
        """Take a piece of a body, and the bytes that carried it if these are whole chunks of HTTP/1.1."""
        raise NotImplementedError

    def take_chunk(self, chunk: bytes, begin: int) -> None:
        """Take one whole chunk of HTTP/1.1, whose data begins at `begin`."""
        self.take(chunk[begin:-2], chunk)

    def finished(self) -> bool:
        """Whether what was taken ends as such a body ends. Asked when no more has come for a while."""
        return False
