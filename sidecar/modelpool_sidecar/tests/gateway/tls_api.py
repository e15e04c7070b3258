"""An API server behind TLS that is slow to say goodbye: what aiohttp's own test server is too polite for.

Each connection has a thread with blocking calls, so that every stage of a connection can be held.
"""

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import trustme

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LIST = json.dumps({"metadata": {"resourceVersion": "5"}, "items": []}).encode()
BOOKMARK = json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "6"}}}).encode() + b"\n"


class Stage(StrEnum):
    """How far a connection comes before the server falls silent."""

    ACCEPTED = "accepted"
    ENCRYPTED = "encrypted"
    LISTED = "listed"
    WATCHED = "watched"


@dataclass
class TlsApi:
    """The server: empty collections, and watches that last until the client leaves."""

    stage: Stage = Stage.WATCHED
    goodbye_seconds: float = 60.0
    """How long the client's goodbye waits for ours."""
    ended: threading.Event = field(default_factory=threading.Event)
    reached: list[Stage] = field(default_factory=list)
    authority: trustme.CA = field(default_factory=trustme.CA)
    port: int = 0

    def count(self, stage: Stage) -> int:
        return self.reached.count(stage)

    def kubeconfig(self, path: Path) -> Path:
        ca = base64.b64encode(self.authority.cert_pem.bytes()).decode()
        cluster = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority-data": ca}
        document = {
            "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": cluster}],
            "users": [{"name": "x", "user": {"token": "t"}}],
        }
        path.write_text(json.dumps(document))
        return path

    def serve(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        threads: list[threading.Thread] = []
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:  # closed: the end
                break
            if self.ended.is_set():
                taken.close()
                break
            threads.append(threading.Thread(target=self._connection, args=(taken, context), name="tls connection"))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _connection(self, taken: socket.socket, context: ssl.SSLContext) -> None:
        taken.settimeout(60)
        with taken:
            if not self._goes_on(Stage.ACCEPTED):
                return
            try:
                with context.wrap_socket(taken, server_side=True, suppress_ragged_eofs=True) as secure:
                    if self._goes_on(Stage.ENCRYPTED):
                        self._answers(secure)
            except OSError:  # the client left without a word
                return

    def _answers(self, secure: ssl.SSLSocket) -> None:
        while request := secure.recv(65536):
            if b"watch=true" not in request:
                secure.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(LIST) + LIST)
                if not self._goes_on(Stage.LISTED):
                    return
                continue
            secure.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BOOKMARK) + BOOKMARK + b"\r\n")
            self._goes_on(Stage.WATCHED)
        self.ended.wait(self.goodbye_seconds)
        secure.unwrap()

    def _goes_on(self, stage: Stage) -> bool:
        self.reached.append(stage)
        if stage is self.stage and stage is not Stage.WATCHED:
            self.ended.wait(60)
            return False
        return True


@contextmanager
def tls_api(stage: Stage = Stage.WATCHED) -> Iterator[TlsApi]:
    api = TlsApi(stage)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    api.authority.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        api.port = listener.getsockname()[1]
        thread = threading.Thread(target=api.serve, args=(listener, context), name="tls api")
        thread.start()
        try:
            yield api
        finally:
            api.ended.set()
            socket.create_connection(("127.0.0.1", api.port)).close()
            thread.join()
