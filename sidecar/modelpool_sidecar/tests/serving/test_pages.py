"""The gateway's own pages: for whom they are, and what they do not tell."""

import json
from pathlib import Path

import pytest

from modelpool_sidecar.http.client.errors import ConnectFailed
from modelpool_sidecar.http.client.pool import ConnectionPool
from modelpool_sidecar.http.client.request_sender import ClientRequest
from modelpool_sidecar.http.server.request import RequestHead
from modelpool_sidecar.routing import documents, table, table_building
from modelpool_sidecar.routing.in_flight import InFlight
from modelpool_sidecar.serving.dispatch import Dispatch
from modelpool_sidecar.serving.pages import live_view
from modelpool_sidecar.serving.resolved_head import ResolvedHead
from modelpool_sidecar.settings import Listen

from ..compiled import patches_what_is_compiled
from ..gateway.processes import free_port
from ..gateway.scenes import backend, document, put, scene, until
from ..gateway.test_limits import raw

PAGES = ["/healthz", "/readyz", "/metrics", "/modelpool/demand", "/modelpool/routes"]
EVERYWHERE = (Listen("0.0.0.0", 0),)


def asking(path: str, host: str, *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines, "", "")).encode()


@pytest.mark.parametrize("path", [*PAGES, "/%6detrics"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_pages_are_for_this_machines_names_on_loopback(tmp_path: Path, path: str, method: str) -> None:
    async with scene(tmp_path, []) as gate:
        for host, status in (
            ("localhost", b"200"),
            ("127.0.0.1:8100", b"200"),
            ("10.1.2.3:8100", b"200"),
            ("rebound.example", b"403"),
            ("8.8.8.8", b"403"),
        ):
            for _ in range(2):  # heads are known again
                answer = await raw(gate, asking(path, host, method=method))
                assert answer.split(b" ")[1] == status, (host, answer)
                assert status == b"200" or answer.partition(b"\r\n\r\n")[2] == b""
        assert [line.status for line in gate.log.lines] == [403] * 4


@patches_what_is_compiled
async def test_what_a_page_is_asked_with_is_understood_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    resolve = Dispatch._resolve

    def resolved(self: Dispatch, head: RequestHead) -> ResolvedHead:
        made.append(head.path)
        return resolve(self, head)

    monkeypatch.setattr(Dispatch, "_resolve", resolved)
    async with scene(tmp_path, []) as gate:
        for path in PAGES * 3:
            assert (await raw(gate, asking(path, "localhost"))).startswith(b"HTTP/1.1 ")
        assert made == PAGES
        assert not gate.log.lines


@pytest.mark.parametrize("path", PAGES)
async def test_in_a_cluster_probes_and_prometheus_ask_by_any_name(tmp_path: Path, path: str) -> None:
    async with scene(tmp_path, [], listen=EVERYWHERE) as gate:
        for host in ("10.1.2.3:8100", "modelpool-gateway.llm.svc.cluster.local:8100", "gateway.example", ""):
            answer = await raw(gate, asking(path, host, "User-Agent: kube-probe/1.31"))
            assert answer.startswith(b"HTTP/1.1 200 "), (host, answer)
        assert not gate.log.lines


@pytest.mark.parametrize("path", PAGES)
async def test_pages_of_other_sites_read_nothing(tmp_path: Path, path: str) -> None:
    async with scene(tmp_path, [], listen=EVERYWHERE, origins=("https://*.example.org",)) as gate:
        answer = await raw(gate, asking(path, "gateway", "Origin: https://evil.example"))
        assert answer.startswith(b"HTTP/1.1 403 ")
        answer = await raw(gate, asking(path, "gateway", "Origin: https://chat.example.org"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nAccess-Control-Allow-Origin: https://chat.example.org\r\n" in answer
        answer = await raw(gate, asking(path, "gateway", "Origin: http://gateway"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"Access-Control" not in answer


async def test_a_routes_file_with_credentials_is_refused_without_telling_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(tmp_path, []) as gate:
        for url in ("http://user:s3cret@host", "ftp://user:s3cret@host/", "http://user:s3c/s3cret@host", "s3cret@host"):
            caplog.clear()
            put(gate.routes, document(backend("vllm", url)))
            await until(lambda: "***@host" in str([vars(one) for one in caplog.records]), seen=lambda: caplog.text)
            assert "s3c" not in str([vars(one) for one in caplog.records])


def test_the_view_of_routes_tells_no_credentials() -> None:
    pool = documents.Pool(namespace="llm", name="a")
    entry = documents.BackendEntry(engine="vllm", model="m", service="s", port=1)
    service = table.ServiceRef("llm", "s", 1)
    address = table.Address(url="http://user:s3cret@host", ready=True)
    routes = documents.RoutesDocument(version=1, pool=pool, models=(documents.ModelEntry(name="m", backends=(entry,)),))
    view = json.dumps(live_view(table_building.build((routes,), {service: (address,)}, {}), InFlight(), draining=False))
    assert '"url": "http://***@host"' in view
    assert "s3cret" not in view


@pytest.mark.parametrize("url", ["http://user:s3cret@127.0.0.1:{port}", "http://user:s3cret@:x", "user:s3cret@host"])
async def test_what_cannot_be_reached_is_told_without_credentials(url: str) -> None:
    upstream = ConnectionPool(connect_timeout=1.0, read_timeout=1.0)
    with pytest.raises(ConnectFailed) as caught:
        await upstream.open(url.format(port=free_port()), ClientRequest(method="GET", path="/"))
    await upstream.close()
    assert "***@" in str(caught.value)
    assert "s3cret" not in str(caught.value)
