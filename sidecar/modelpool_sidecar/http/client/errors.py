"""How a client says what went wrong.

ClientError
├── ConnectFailed           nothing was sent: any other target may be tried
│   └── NobodyThere         and nobody listens there
├── OutOfResources          nothing was sent, because this machine has no more to connect with: no engine's fault
├── ClosedBeforeFirstByte   the engine died or hung before it answered: generation is not committed, try another
└── BrokenMidStream         bytes of the answer have been seen: the caller must see the break
"""


def described(error: BaseException) -> str:
    """An error as one line of a log."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class ClientError(Exception):
    """The engine did not give a whole answer. The message is for the log, not for the caller."""


class ConnectFailed(ClientError):  # noqa: N818 -- the family is named for what happened
    """No connection came about, so nothing was sent."""


class NobodyThere(ConnectFailed):
    """The connection was refused, or there is no way to the address."""


class OutOfResources(ClientError):  # noqa: N818
    """Descriptors, ports or memory of this machine are used up. It says nothing about the engine."""


class ClosedBeforeFirstByte(ClientError):  # noqa: N818
    """The connection ended, or stayed silent too long, before the answer began."""


class BrokenMidStream(ClientError):  # noqa: N818
    """The answer had begun and ended too early."""
