"""How a gateway is asked to stop: once, and a second time by somebody who does not want to wait."""

import asyncio


class Stop:
    """What the signal handlers set."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        """No new callers, and running answers may end."""
        self.hurried = asyncio.Event()
        """Running answers are not waited for any longer."""

    def ask(self) -> None:
        """Ask, or ask again."""
        if self.asked.is_set():
            self.hurried.set()
        self.asked.set()
