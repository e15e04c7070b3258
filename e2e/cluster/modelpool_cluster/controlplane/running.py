"""One running control plane: its start, in order, and its end. The only module of this package that others call."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from . import certificates, components, kubeconfig, ports
from .certificates import IDENTITIES, LOOPBACK, Identity
from .layout import Layout
from .supervisor import Supervisor

_START_SECONDS = 90.0
"""Until the API must answer; a busy machine needs ten times what an idle one does."""
_ATTEMPTS = 3
"""How often to start again with another port when somebody else took it first."""


class StartError(Exception):
    """The control plane did not come up; the message says which component and shows its last lines."""


class PortTakenError(Exception):
    """Somebody bound our port between our choice and the API server's start."""


class ControlPlane:
    """etcd, API server, controller manager and scheduler, in a folder and a process tree of their own."""

    site = components.LOOPBACK
    identities: Collection[Identity] = IDENTITIES
    names: Collection[str] = LOOPBACK
    """What the API server is called in its certificate."""

    def __init__(self, programs: Mapping[str, Path], scratch: Callable[[], Path]) -> None:
        """`programs` are paths by name; `scratch` makes a new private folder, which is gone after `stop`."""
        self._programs = programs
        self._scratch = scratch
        self.layout: Layout | None = None
        self.supervisor: Supervisor | None = None
        self.start_seconds = 0.0
        self.server = ""

    def start(self) -> Layout:
        """Start all and return when the API serves, OpenAPI and the default ServiceAccount included.

        Raises StartError.
        """
        began = time.monotonic()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                layout = self._attempt(ports.free_port(), deadline=began + _START_SECONDS)
            except PortTakenError:
                self.stop()
                if attempt == _ATTEMPTS:
                    raise StartError(f"no free port after {attempt} attempts") from None
            except BaseException:
                self.stop()
                raise
            else:
                self.start_seconds = time.monotonic() - began
                return layout
        raise AssertionError("unreachable")

    def stop(self) -> None:
        """End all processes and remove their folder. May be called twice."""
        if self.supervisor is not None:
            self.supervisor.close()
        self.supervisor = None
        self.layout = None

    def run(self, name: str, arguments: list[str]) -> int:
        """Start one more program beside the components, such as kwok; it ends with them. Returns its process id."""
        if self.supervisor is None or self.layout is None:
            raise StartError("the control plane is not running")
        command = self._command([str(self._programs[name]), *arguments])
        return self.supervisor.start(name, command, self.layout.logs / f"{name}.log")

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Let the API server be away, killed as by a power cut, for as long as the block takes; then it serves again.

        Raises StartError.
        """
        if self.supervisor is None or self.layout is None:
            raise StartError("the control plane is not running")
        os.kill(self.supervisor.pids["kube-apiserver"], signal.SIGKILL)
        while "kube-apiserver" not in self.supervisor.exits():
            time.sleep(0.02)
        try:
            yield
        finally:
            port = int(self.server.rpartition(":")[2])
            self.run("kube-apiserver", components.apiserver(self.layout, port, self.site))
            client = _Client(self.layout, self.site.address, port)
            self._wait(client, "/readyz", time.monotonic() + _START_SECONDS)

    def resident_bytes(self) -> dict[str, int]:
        """Return the resident memory of each process, from /proc. Empty where there is no /proc."""
        found: dict[str, int] = {}
        for name, pid in self.supervisor.pids.items() if self.supervisor is not None else ():
            status = Path(f"/proc/{pid}/status")
            if status.exists():
                fields = (line.split() for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
                found[name] = sum(int(size) * 1024 for _, size, *_ in fields)
        return found

    def _attempt(self, port: int, *, deadline: float) -> Layout:
        layout = self.layout = Layout(self._scratch())
        self.supervisor = Supervisor(layout.folder)
        self.server = f"https://{self.site.address}:{port}"
        self._write_files(layout)
        self._prepare(layout, self.supervisor)
        self.run("etcd", components.etcd(layout))
        self.run("kube-apiserver", components.apiserver(layout, port, self.site))
        client = _Client(layout, self.site.address, port)
        self._wait(client, "/readyz", deadline)
        self.run("kube-controller-manager", components.controller_manager(layout, self.site))
        self.run("kube-scheduler", components.scheduler(layout))
        for path in ("/openapi/v3", "/openapi/v3/api/v1", "/api/v1/namespaces/default/serviceaccounts/default"):
            self._wait(client, path, deadline)
        return layout

    def _prepare(self, layout: Layout, supervisor: Supervisor) -> None:
        """Make what the components need beside their files; here nothing."""

    def _command(self, argv: Sequence[str]) -> list[str]:
        """Return the command that starts a component where it belongs; here as it is."""
        return list(argv)

    def _write_files(self, layout: Layout) -> None:
        layout.logs.mkdir()
        certificates.write_certificates(layout, self.identities, self.names)
        layout.audit_policy.write_text(json.dumps(components.AUDIT_POLICY))
        layout.scheduler_configuration.write_text(json.dumps(components.scheduler_configuration(layout)))
        for identity in self.identities:
            document = kubeconfig.with_certificate(
                server=self.server,
                authority=layout.authority,
                certificate=layout.certificate(identity.name),
                key=layout.key(identity.name),
            )
            layout.kubeconfig(identity.name).write_text(json.dumps(document))

    def _wait(self, client: _Client, path: str, deadline: float) -> None:
        seen = "nothing"
        while time.monotonic() < deadline:
            self._check_alive()
            status, seen = client.get(path)
            if status == http.client.OK:
                return
            time.sleep(0.05)
        raise StartError(f"{path} did not answer in time, it said last: {seen}\n{self._tails()}")

    def _check_alive(self) -> None:
        exits = self.supervisor.exits() if self.supervisor is not None else {}
        if "kube-apiserver" in exits and "address already in use" in self._tails():
            raise PortTakenError
        if exits:
            raise StartError(f"{', '.join(exits)} ended during the start\n{self._tails()}")

    def _tails(self) -> str:
        return "\n".join(tails(self.layout.logs)) if self.layout is not None else ""


class _Client:
    """Just enough of a client to ask whether the API serves."""

    def __init__(self, layout: Layout, address: str, port: int) -> None:
        admin = certificates.ADMIN.name
        self._context = ssl.create_default_context(cafile=layout.authority)
        self._context.load_cert_chain(layout.certificate(admin), layout.key(admin))
        self._address, self._port = address, port

    def get(self, path: str) -> tuple[int, str]:
        """Return status and an excerpt of the answer; status 0 when there was none."""
        connection = http.client.HTTPSConnection(self._address, self._port, timeout=10, context=self._context)
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            response = connection.getresponse()
            body = response.read().decode(errors="replace")  # all of it: a half-read answer is logged as an abort
            return response.status, f"{response.status} {body[:300]}"
        except (OSError, http.client.HTTPException) as exc:
            return 0, repr(exc)
        finally:
            connection.close()


def tails(logs: Path, lines: int = 15) -> list[str]:
    """Return the last lines of every component's log, each under a heading that names the file."""
    found: list[str] = []
    for log in sorted(logs.glob("*.log")):
        found += [f"--- {log}", *log.read_text(errors="replace").splitlines()[-lines:]]
    return found
