"""The files of a run: who may read them, what they say; and the settings they come from."""

from __future__ import annotations

import datetime
import json
import socket
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from modelpool_cluster import audit
from modelpool_cluster.controlplane import certificates, components, kubeconfig, ports
from modelpool_cluster.controlplane.layout import Layout, choose_scratch
from modelpool_cluster.settings import InvalidSettingError, Provider, Settings


def test_every_identity_has_a_pair_signed_for_loopback_and_a_private_key(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    certificates.write_certificates(layout)

    authority = x509.load_pem_x509_certificate(layout.authority.read_bytes())
    for identity in certificates.IDENTITIES:
        certificate = x509.load_pem_x509_certificate(layout.certificate(identity.name).read_bytes())
        certificate.verify_directly_issued_by(authority)
        (user,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        groups = [group.value for group in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        assert user.value == identity.user
        if identity.group is None:
            assert "system:masters" not in groups
        else:
            assert groups == [identity.group]
        assert stat.S_IMODE(layout.key(identity.name).stat().st_mode) == 0o600
    server = x509.load_pem_x509_certificate(layout.certificate(certificates.SERVER).read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == list(certificates.LOOPBACK)


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", ports.free_port()))
        listener.listen()


def test_nothing_listens_beyond_loopback_and_nobody_is_anonymous(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    apiserver = components.apiserver(layout, 6443)

    assert {"--bind-address=127.0.0.1", "--anonymous-auth=false", "--authorization-mode=RBAC"} <= set(apiserver)
    assert all(
        "--secure-port=0" in part for part in (components.scheduler(layout), components.controller_manager(layout))
    )
    assert not [flag for flag in components.etcd(layout) if "http" in flag]


def test_scratch_is_new(tmp_path: Path) -> None:
    one, two = choose_scratch(tmp_path), choose_scratch(tmp_path)

    assert one != two
    assert one.parent == tmp_path
    assert stat.S_IMODE(one.stat().st_mode) == 0o700


def test_a_scratch_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()

    with pytest.raises(OSError, match="TMPDIR must be shorter"):
        choose_scratch(deep)

    assert not list(deep.iterdir())


def test_a_kubeconfig_with_a_token_holds_nothing_of_the_admin() -> None:
    admin = kubeconfig.with_certificate(
        server="https://127.0.0.1:1", authority=Path("/ca"), certificate=Path("/crt"), key=Path("/key")
    )

    document = kubeconfig.with_token(admin, token="t", namespace="llm")

    assert document["users"] == [{"name": kubeconfig.NAME, "user": {"token": "t"}}]
    assert document["clusters"] == admin["clusters"]
    assert document["contexts"][0]["context"]["namespace"] == "llm"
    assert "/key" not in json.dumps(document)


def _event(verb: str, user: str = "ann", stage: str = "ResponseComplete", second: int = 0, **about: str) -> str:
    document = {
        "stage": stage,
        "verb": verb,
        "user": {"username": user} if user else {},
        "requestURI": "/x",
        "requestReceivedTimestamp": f"2026-11-22T10:00:{second:02d}.123456Z",
        "responseStatus": {"code": 200},
        "objectRef": about,
    }
    return json.dumps(document) + "\n"


def test_audit_events_are_told_apart(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_text(
        _event("patch", resource="pods", namespace="a")
        + _event("patch", user="bob", second=5)
        + _event("watch", stage="ResponseStarted")
        + _event("watch")
        + _event("get", user="")
        + _event("patch")[:40]
    )
    later = datetime.datetime(2026, 11, 22, 10, 0, 3, tzinfo=datetime.UTC)

    assert [event.verb for event in audit.read_events(log)] == ["patch", "patch", "watch", "get"]
    assert [event.namespace for event in audit.read_events(log, verbs={"patch"}, user="ann")] == ["a"]
    assert [event.user for event in audit.read_events(log, since=later)] == ["bob"]
    assert [event.verb for event in audit.read_events(log, user="")] == ["get"]


def test_settings_name_the_variable_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingError, match="KUBEBUILDER_ASSETS must name a folder, got '/nonexistent'"):
        Settings.from_environment({"KUBEBUILDER_ASSETS": "/nonexistent"})
    with pytest.raises(InvalidSettingError, match="one of controlplane, kind, node, external, got 'minikube'"):
        Settings.from_environment({"MODELPOOL_CLUSTER_PROVIDER": "minikube"})

    settings = Settings.from_environment({"XDG_CACHE_HOME": str(tmp_path), "MODELPOOL_CLUSTER_PROVIDER": "kind"})

    assert (settings.cache, settings.provider) == (tmp_path / "modelpool", Provider.KIND)
