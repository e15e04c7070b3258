"""Credentials as people have them: a pod's account, kubeconfigs of every usual kind, and those that are refused."""

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from modelpool_sidecar.discovery.sources import SourceMissingError
from modelpool_sidecar.discovery.sources.access import Access, from_kubeconfig, in_cluster

CA = trustme.CA()
CERTIFICATE = CA.issue_cert("ada@example.org")
CHAIN = CERTIFICATE.cert_chain_pems[0].bytes()
KEY = CERTIFICATE.private_key_pem.bytes()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def document(cluster: dict[str, Any], user: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "current-context": "desk",
        "contexts": [{"name": "desk", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443/", **cluster}}],
        "users": [{"name": "u", "user": user}],
        **more,
    }


def read(folder: Path, cluster: dict[str, Any], user: dict[str, Any], **more: Any) -> Access:
    file = folder / "config"
    file.write_text(json.dumps(document(cluster, user, **more)))
    return from_kubeconfig((file,))


def test_a_pods_account_is_read_again_for_every_request(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(CA.cert_pem.bytes())
    (tmp_path / "token").write_text("first\n")
    access = in_cluster("fd00::1", "443", tmp_path)
    assert (access.server, access.headers()) == ("https://[fd00::1]:443", {"Authorization": "Bearer first"})
    (tmp_path / "token").write_text("second")
    assert access.headers() == {"Authorization": "Bearer second"}
    assert access.tls.verify_mode is ssl.CERT_REQUIRED


def test_a_pod_without_an_account_follows_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match=r"could not find a cluster to follow: .*: No such file or directory"):
        in_cluster("10.0.0.1", "443", tmp_path)


def test_a_token_and_an_authority_in_the_file(tmp_path: Path) -> None:
    access = read(tmp_path, {"certificate-authority-data": encoded(CA.cert_pem.bytes())}, {"token": "t"})
    assert (access.server, access.headers()) == ("https://10.0.0.1:6443", {"Authorization": "Bearer t"})
    assert [one["serialNumber"] for one in access.tls.get_ca_certs()]
    assert access.tls.check_hostname


def test_paths_start_at_the_kubeconfigs_folder(tmp_path: Path) -> None:
    for name, content in (("ca", CA.cert_pem.bytes()), ("cert", CHAIN), ("key", KEY), ("token", b"t")):
        (tmp_path / name).write_bytes(content)
    user = {"client-certificate": "cert", "client-key": "key", "tokenFile": "token"}
    access = read(tmp_path, {"certificate-authority": "ca", "tls-server-name": "kubernetes"}, user)
    assert (access.headers(), access.server_name) == ({"Authorization": "Bearer t"}, "kubernetes")
    assert len(access.tls.get_ca_certs()) == 1


def test_a_client_certificate_in_the_file_leaves_nothing_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    access = read(tmp_path, {}, {"client-certificate-data": encoded(CHAIN), "client-key-data": encoded(KEY)})
    assert access.headers() == {}
    assert list(scratch.iterdir()) == []


def test_the_server_may_go_unchecked(tmp_path: Path) -> None:
    access = read(tmp_path, {"insecure-skip-tls-verify": True}, {})
    assert (access.tls.verify_mode, access.tls.check_hostname) == (ssl.CERT_NONE, False)


def test_of_several_files_the_first_that_says_something_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("current-context: desk\nusers: [{name: u, user: {token: mine}}]\n")
    second.write_text(json.dumps(document({}, {"token": "theirs"}) | {"current-context": "other"}))
    access = from_kubeconfig((tmp_path / "absent", first, second))
    assert access.headers() == {"Authorization": "Bearer mine"}


@pytest.mark.parametrize(
    ("cluster", "user", "more", "says"),
    [
        ({}, {"exec": {"command": "aws"}}, {}, "user 'u' has `exec`, which the gateway does not do"),
        ({}, {"auth-provider": {"name": "oidc"}}, {}, "user 'u' has `auth-provider`"),
        ({}, {"as": "somebody"}, {}, "user 'u' has `as`"),
        ({"proxy-url": "http://p"}, {}, {}, "cluster 'c' has `proxy-url`"),
        ({"server": "10.0.0.1"}, {}, {}, "must name a server as a URL, got '10.0.0.1'"),
        ({"certificate-authority-data": "!"}, {}, {}, "certificate-authority-data must be base64"),
        ({"certificate-authority-data": encoded(b"x")}, {}, {}, "the certificate authority cannot be read"),
        ({"certificate-authority": "nowhere"}, {}, {}, "No such file or directory"),
        ({}, {"client-certificate-data": encoded(CHAIN)}, {}, "must have both of client-certificate and client-key"),
        (
            {},
            {"client-certificate-data": encoded(CHAIN), "client-key-data": encoded(b"x")},
            {},
            "the client certificate cannot be used",
        ),
        ({}, {}, {"current-context": ""}, "has no current-context"),
        ({}, {}, {"current-context": "x"}, "has no context 'x'"),
        ({}, {}, {"clusters": []}, "has no cluster 'c'"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    with pytest.raises(SourceMissingError) as caught:
        read(tmp_path, cluster, user, **more)
    assert str(caught.value).startswith(f"could not find a cluster to follow: {tmp_path / 'config'}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(("text", "says"), [("{", "is not YAML"), ("- a", "is not a kubeconfig")])
def test_another_file_is_no_kubeconfig(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(SourceMissingError, match=says):
        from_kubeconfig((tmp_path / "config",))


def test_no_kubeconfig_at_all_is_said() -> None:
    with pytest.raises(SourceMissingError, match="no kubeconfig: has no current-context"):
        from_kubeconfig(())
