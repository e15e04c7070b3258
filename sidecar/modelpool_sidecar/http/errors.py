"""What can be wrong with a caller's request before anybody has looked at what it asks for."""


class BadRequestError(Exception):
    """The caller's fault. The message is for the caller; `status` is the HTTP status to answer with."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class TooLargeError(Exception):
    """The body is larger than the gateway takes. The message is for the caller."""


class TooLateError(Exception):
    """The request does not come in time. The message is for the caller."""


class NoRoomError(Exception):
    """The body has no room beside those of others. The message is for the caller."""

    def __init__(self) -> None:
        super().__init__("too many large request bodies are being read or answered")
