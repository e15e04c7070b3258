"""An authority that is renewed under a running gateway: the next connection believes the new one."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from modelpool_sidecar.discovery.sources.access import Access, in_cluster
from modelpool_sidecar.discovery.sources.api import Api, Collection
from modelpool_sidecar.discovery.sources.trust import Trust

OLD, NEW = trustme.CA(), trustme.CA()


def replace(file: Path, content: bytes) -> None:
    """Put a file in another's place, as the kubelet does."""
    fresh = file.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(file)


def authorities(context: ssl.SSLContext) -> list[object]:
    return [one["serialNumber"] for one in context.get_ca_certs()]


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "ca.crt").write_bytes(OLD.cert_pem.bytes())
    (tmp_path / "token").write_text("t")
    return tmp_path


def test_a_context_lasts_as_long_as_its_file(account: Path) -> None:
    access = in_cluster("10.0.0.1", "443", account)
    first = access.tls
    assert access.tls is first
    replace(account / "ca.crt", NEW.cert_pem.bytes())
    second = access.tls
    assert access.tls is second is not first
    assert authorities(second) != authorities(first), "what was renewed is no longer believed"


@pytest.mark.parametrize("content", [b"", b"no certificate", None], ids=["empty", "garbage", "gone"])
def test_a_bundle_that_cannot_be_read_changes_nothing(
    account: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    access = in_cluster("10.0.0.1", "443", account)
    first = access.tls
    if content is None:
        (account / "ca.crt").unlink()
    else:
        replace(account / "ca.crt", content)
    assert access.tls is access.tls is first
    assert [record.levelname for record in caplog.records] == ["WARNING"], "said once"
    replace(account / "ca.crt", NEW.cert_pem.bytes())
    assert access.tls is not first


def test_a_context_without_files_is_made_once() -> None:
    made: list[ssl.SSLContext] = []

    def make() -> ssl.SSLContext:
        made.append(ssl.create_default_context())
        return made[-1]

    trust = Trust(make)
    assert trust.context() is trust.context() is made[0]
    assert len(made) == 1


@asynccontextmanager
async def serving(certificates: ssl.SSLContext) -> AsyncIterator[int]:
    async def collection(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"resourceVersion": "5"}, "items": []})

    application = web.Application()
    application.router.add_get("/items", collection)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_a_request_after_a_renewal_believes_the_new_authority_alone(account: Path) -> None:
    certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    OLD.issue_cert("127.0.0.1").configure_cert(certificates)
    async with serving(certificates) as port:
        access: Access = in_cluster("127.0.0.1", str(port), account)
        async with Api(access) as api:
            assert (await api.items(Collection("/items", "")))["items"] == []
            NEW.issue_cert("127.0.0.1").configure_cert(certificates)
            replace(account / "ca.crt", NEW.cert_pem.bytes())
            assert (await api.items(Collection("/items", "")))["items"] == []

            replace(account / "ca.crt", OLD.cert_pem.bytes())
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await api.items(Collection("/items", ""))
