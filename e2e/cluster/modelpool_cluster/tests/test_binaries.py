"""The order of the sources: given, cached, fetched, built; what is broken is refused, what is closed is passed over."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelpool_cluster.binaries import Binaries, BinaryUnavailableError, Origin, building, toolchain
from modelpool_cluster.binaries.archives import ChecksumMismatchError
from modelpool_cluster.settings import Settings

PROGRAM = b"#!/bin/sh\nexit 0\n"
KUBECTL = "/v1.36.3/bin/linux/amd64/kubectl"


class Archive:
    """A release archive on loopback: files by path, and what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut: set[str] = set()
        """Paths whose answer breaks off half-way."""
        archive = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                archive.asked.append(self.path)
                body = archive.files.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write((body or b"")[: len(body or b"") // 2 if self.path in archive.cut else None])

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def publish(self, path: str, content: bytes = PROGRAM, checksum: str | None = None) -> None:
        self.files[path] = content
        self.files[f"{path}.sha256"] = (checksum or hashlib.sha256(content).hexdigest()).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def archive() -> Iterator[Archive]:
    served = Archive()
    yield served
    served.close()


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace Go by a scribe: returns the names of what was built."""
    built: list[str] = []

    def build(*, target: Path, **rest: object) -> None:
        built.append(target.name)
        target.write_bytes(PROGRAM)

    monkeypatch.setattr(building, "build", build)
    monkeypatch.setattr(toolchain, "find_go", lambda settings, log: Path("/go"))
    return built


def make(tmp_path: Path, archive: Archive | None = None, **changes: object) -> Binaries:
    url = archive.url if archive is not None else ""
    values = {"environment": {"PATH": ""}, "cache": tmp_path / "cache", "kubernetes_archive": url, "etcd_archive": url}
    return Binaries(Settings(**{**values, **changes}), lambda line: None, system="Linux", machine="x86_64")  # type: ignore[arg-type]


def test_what_is_given_wins_over_all_else(tmp_path: Path, archive: Archive, builds: list[str]) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "kubectl").write_bytes(b"#!/bin/sh\necho Client Version: v1.35.0\n")
    (assets / "kubectl").chmod(0o755)
    archive.publish(KUBECTL)

    binaries = make(tmp_path, archive, assets=assets)

    assert binaries.path("kubectl") == assets / "kubectl"
    assert binaries.get("kubectl").version == "v1.35.0"
    assert (archive.asked, builds) == ([], [])
    assert binaries.path("kwok").parent == binaries.cache.folder  # not given: from elsewhere


def test_the_archive_is_asked_once_and_the_cache_from_then_on(
    tmp_path: Path, archive: Archive, builds: list[str]
) -> None:
    archive.publish(KUBECTL)

    first = make(tmp_path, archive)
    path = first.path("kubectl")
    again = make(tmp_path, archive)

    assert path.read_bytes() == PROGRAM
    assert path.stat().st_mode & 0o111
    assert archive.asked == [f"{KUBECTL}.sha256", KUBECTL]
    assert again.path("kubectl") == path
    assert len(archive.asked) == 2
    assert builds == []
    provenance = first.cache.provenance("kubectl")
    assert provenance is not None
    assert (provenance.version, provenance.origin) == ("v1.36.3", Origin.ARCHIVE)


def test_etcd_comes_out_of_its_tarball(tmp_path: Path, archive: Archive, builds: list[str]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tarball:
        member = tarfile.TarInfo("etcd-v3.6.8-linux-amd64/etcd")
        member.size = len(PROGRAM)
        tarball.addfile(member, io.BytesIO(PROGRAM))
    name = "etcd-v3.6.8-linux-amd64.tar.gz"
    archive.files[f"/v3.6.8/{name}"] = buffer.getvalue()
    archive.files["/v3.6.8/SHA256SUMS"] = f"{hashlib.sha256(buffer.getvalue()).hexdigest()}  {name}\n".encode()

    assert make(tmp_path, archive).path("etcd").read_bytes() == PROGRAM
    assert builds == []


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(tmp_path: Path, archive: Archive, builds: list[str]) -> None:
    archive.publish(KUBECTL, checksum="0" * 64)
    binaries = make(tmp_path, archive)

    with pytest.raises(ChecksumMismatchError, match=f"must have SHA-256 {'0' * 64}, got"):
        binaries.path("kubectl")

    assert builds == []
    assert [path.name for path in binaries.cache.folder.iterdir()] == [".lock"]


def test_a_missing_checksum_is_refused(tmp_path: Path, archive: Archive, builds: list[str]) -> None:
    archive.publish(KUBECTL)
    archive.files[f"{KUBECTL}.sha256"] = b""

    with pytest.raises(ChecksumMismatchError, match="no SHA-256 is published"):
        make(tmp_path, archive).path("kubectl")


def test_a_download_that_breaks_off_is_never_adopted(tmp_path: Path, archive: Archive, builds: list[str]) -> None:
    archive.publish(KUBECTL, content=b"x" * 4096)
    archive.cut.add(KUBECTL)
    binaries = make(tmp_path, archive)

    with pytest.raises(ChecksumMismatchError):  # the connection closed early: what came is too short
        binaries.path("kubectl")

    assert binaries.cache.find("kubectl") is None


def test_a_closed_network_is_tried_once_and_then_all_is_built(tmp_path: Path, builds: list[str]) -> None:
    said: list[str] = []
    archive = Archive()
    archive.close()  # its port now refuses
    settings = Settings(
        environment={"PATH": ""},
        cache=tmp_path,
        kubernetes_archive=archive.url,
        etcd_archive=archive.url,
    )

    found = Binaries(settings, said.append).control_plane()

    assert builds == ["etcd", "kwok", "kubectl", "kube-apiserver", "kube-scheduler", "kube-controller-manager"]
    assert {binary.origin for binary in found.values()} == {Origin.BUILT}
    assert found["kube-apiserver"].version == "v1.36.3"
    assert any("out of reach" in line for line in said)
    assert Binaries(settings, said.append).control_plane()["etcd"].origin is Origin.CACHE


def test_a_failed_build_names_every_source_that_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_go(settings: Settings, log: object) -> Path:
        raise toolchain.ToolchainUnavailableError("no Go")

    monkeypatch.setattr(toolchain, "find_go", no_go)

    with pytest.raises(BinaryUnavailableError) as refused:
        make(tmp_path).path("etcd")

    for words in ("etcd v3.6.8 is missing", "KUBEBUILDER_ASSETS is not set", str(tmp_path), "no Go"):
        assert words in str(refused.value)
