"""The start script as a program: real processes, real locks, a small HTTP server in the engine's place.

Nothing here sleeps for a guess: every wait is for a line of a log or for a process to end, with a deadline.
"""

import ast
import errno
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

from modelpool_operator.planning import scripts
from modelpool_operator.planning.scripts import start_engine

DEADLINE = 60.0

Ports = Callable[[], int]

ENGINE = """
import http.server, os, signal, sys
# Says what it inherited and where it listens, then answers its health check once the file `ready` is there.
ready = sys.argv[1]
code = int(sys.argv[2])
signal.signal(signal.SIGTERM, lambda *_: os._exit(code))
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.path.exists(ready) else 503)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[3])), Health)
links = ["/proc/self/fd/" + fd for fd in os.listdir("/proc/self/fd")]
inherited = [os.readlink(link) for link in links if os.path.lexists(link)]
print("ENGINE", os.getpid(), [path for path in inherited if path.endswith(".lock")], flush=True)
server.serve_forever()
"""


class Keeper:
    """The script, running, with its log."""

    def __init__(self, arguments: list[str]) -> None:
        command = [sys.executable, str(Path(start_engine.__file__)), *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.lines: list[str] = []
        self._queue: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, name="log reader", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip())

    def wait_for(self, text: str) -> str:
        """Return the first line, from now on or before, that holds `text`."""
        for line in self.lines:
            if text in line:
                return line
        while True:
            try:
                line = self._queue.get(timeout=DEADLINE)
            except Empty:
                raise AssertionError(f"{text!r} was not logged in {DEADLINE:g} s, but: {self.lines}") from None
            self.lines.append(line)
            if text in line:
                return line

    def end(self) -> int:
        return self.process.wait(timeout=DEADLINE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=DEADLINE)
        self._reader.join(timeout=DEADLINE)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Stage:
    """A folder with locks and engines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keepers: list[Keeper] = []
        (folder / "engine.py").write_text(ENGINE, encoding="utf-8")

    def lock(self, card: int) -> Path:
        return self.folder / "locks" / f"node-card-{card}.lock"

    def start(self, name: str, *, cards: tuple[int, ...] = (0,), code: int = 0, port: int) -> Keeper:
        engine = [sys.executable, str(self.folder / "engine.py"), str(self.ready(name)), str(code), str(port)]
        return self.start_command(name, engine, cards=cards, port=port)

    def start_command(self, name: str, command: list[str], *, cards: tuple[int, ...] = (0,), port: int = 9) -> Keeper:
        locks = [part for card in cards for part in ("--lock", str(self.lock(card)))]
        keeper = Keeper(
            [*locks, "--poll", "0.02", "--name", name, "--health", f"http://127.0.0.1:{port}/health", "--", *command]
        )
        self.keepers.append(keeper)
        return keeper

    def ready(self, name: str) -> Path:
        return self.folder / f"{name}.ready"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    for keeper in made.keepers:
        keeper.close()


@pytest.fixture
def port_of() -> Ports:
    """Gives free ports: the engine listens on one within milliseconds, and nobody else asks for it meanwhile."""

    def free() -> int:
        with socket.create_server(("127.0.0.1", 0)) as server:
            return int(server.getsockname()[1])

    return free


def is_held(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_the_second_engine_starts_once_the_first_answers(stage: Stage, port_of: Ports) -> None:
    first = stage.start("qwen3:8b", port=port_of())
    first.wait_for("ENGINE")
    second = stage.start("cogito:8b", port=port_of())
    second.wait_for("Waiting for card 0 (behind qwen3:8b)")
    assert stage.lock(0).read_text() == "qwen3:8b"
    stage.ready("qwen3:8b").touch()
    second.wait_for("ENGINE")
    assert first.process.poll() is None
    assert first.wait_for("Ready")


def test_engines_of_different_cards_do_not_wait(stage: Stage, port_of: Ports) -> None:
    for card in (0, 1):
        stage.start(f"model-{card}", cards=(card,), port=port_of()).wait_for("ENGINE")
    assert is_held(stage.lock(0))
    assert is_held(stage.lock(1))


def test_an_engine_of_two_cards_waits_for_both(stage: Stage, port_of: Ports) -> None:
    stage.start("small", cards=(1,), port=port_of()).wait_for("ENGINE")
    wide = stage.start("wide", cards=(1, 0), port=port_of())
    wide.wait_for("Waiting for card 1 (behind small)")
    assert stage.lock(0).read_text() == "wide"
    stage.ready("small").touch()
    wide.wait_for("ENGINE")


def test_a_keeper_that_is_killed_gives_the_card_up_and_takes_its_engine_along(
    stage: Stage,
    port_of: Ports,
) -> None:
    first = stage.start("qwen3:8b", port=port_of())
    engine = int(first.wait_for("ENGINE").split()[1])
    handle = os.pidfd_open(engine)
    second = stage.start("cogito:8b", port=port_of())
    second.wait_for("Waiting for card 0 (behind qwen3:8b)")
    first.process.kill()
    second.wait_for("ENGINE")
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    assert poller.poll(DEADLINE * 1000), "the engine outlived its keeper"
    os.close(handle)


def test_an_engine_that_dies_before_it_answers_gives_the_card_up(stage: Stage, port_of: Ports) -> None:
    first = stage.start("qwen3:8b", port=port_of())
    engine = int(first.wait_for("ENGINE").split()[1])
    second = stage.start("cogito:8b", port=port_of())
    second.wait_for("Waiting")
    os.kill(engine, signal.SIGKILL)
    second.wait_for("ENGINE")
    assert first.end() == 128 + signal.SIGKILL


def test_the_engine_inherits_no_lock(stage: Stage, port_of: Ports) -> None:
    keeper = stage.start("qwen3:8b", port=port_of())
    assert keeper.wait_for("ENGINE").endswith("[]")
    assert is_held(stage.lock(0))


@pytest.mark.parametrize("code", [0, 7])
def test_a_stop_is_passed_on_and_the_exit_code_comes_back(stage: Stage, port_of: Ports, code: int) -> None:
    keeper = stage.start("qwen3:8b", code=code, port=port_of())
    keeper.wait_for("ENGINE")
    keeper.process.send_signal(signal.SIGTERM)
    assert keeper.end() == code
    assert not is_held(stage.lock(0))


def test_a_stop_while_waiting_ends_the_wait(stage: Stage, port_of: Ports) -> None:
    stage.start("qwen3:8b", port=port_of()).wait_for("ENGINE")
    waiting = stage.start("cogito:8b", port=port_of())
    waiting.wait_for("Waiting")
    waiting.process.send_signal(signal.SIGTERM)
    assert waiting.end() == 128 + signal.SIGTERM
    assert stage.lock(0).read_text() == "qwen3:8b"


def test_a_command_that_is_not_there_is_named(stage: Stage) -> None:
    keeper = stage.start_command("qwen3:8b", ["no-such-engine"])
    keeper.wait_for("Could not start qwen3:8b")
    assert keeper.end() == 127
    assert not is_held(stage.lock(0))


def test_a_lock_that_cannot_be_made_is_named(stage: Stage) -> None:
    (stage.folder / "locks").write_text("a file where a folder must be")
    keeper = stage.start_command("qwen3:8b", ["true"])
    keeper.wait_for(f"Could not lock {stage.lock(0)}")
    assert keeper.end() == 75


def test_on_a_full_volume_there_is_a_lock_without_a_name(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine whose weights are there must be able to start where nothing more can be written."""

    def full(descriptor: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    lock = start_engine.CardLock(str(stage.lock(0)), "qwen3:8b")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        lock.take(0.02)
    assert is_held(stage.lock(0))
    lock.release()
    assert not is_held(stage.lock(0))


def test_a_command_is_required(stage: Stage) -> None:
    keeper = stage.start_command("qwen3:8b", [])
    assert keeper.end() == 2


def test_the_proxy_of_the_environment_is_not_asked(
    stage: Stage,
    port_of: Ports,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    keeper = stage.start("qwen3:8b", port=port_of())
    stage.ready("qwen3:8b").touch()
    keeper.wait_for("Ready")
    assert not is_held(stage.lock(0))


def test_the_script_is_python_that_an_older_image_reads() -> None:
    text = Path(start_engine.__file__).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
    assert text == scripts.START_ENGINE


@pytest.mark.parametrize(
    ("both", "host", "want"),
    [(True, "::", "::"), (False, "::", "0.0.0.0"), (False, "127.0.0.1", "127.0.0.1"), (False, "::1", "::1")],
)
def test_an_engine_listens_at_the_addresses_that_its_node_has(
    monkeypatch: pytest.MonkeyPatch, both: bool, host: str, want: str
) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: both)
    command = ["vllm", "serve", "::", "--host", host, "--port", "8000"]
    assert start_engine.listening_here(command) == ["vllm", "serve", "::", "--host", want, "--port", "8000"]
