"""The relay passes every byte on, tells what was asked, and ends a connection when one of its sides has."""

import http.server
import socket
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from client_relay import relaying


class _Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


def test_what_was_asked_is_told_once(server: str) -> None:
    with relaying(server) as relay:
        body = b'{"model": "m", "image": "' + b"x" * 500 + b'"}'
        with urllib.request.urlopen(urllib.request.Request(relay.url + "/api/chat", body), timeout=10) as response:
            assert response.read() == body
        (line,) = relay.taken()
        assert line.startswith('POST /api/chat {"model": "m", "image": "xxx')
        assert " -> 201" in line
        assert len(line) < 400
        assert relay.taken() == []


def test_a_client_that_leaves_has_left() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as upstream,
        relaying(f"http://127.0.0.1:{upstream.getsockname()[1]}") as relay,
    ):
        client = socket.create_connection(("127.0.0.1", int(relay.url.rpartition(":")[2])))
        arrived, _ = upstream.accept()
        with arrived:
            arrived.settimeout(10)
            client.close()
            assert arrived.recv(1) == b""
