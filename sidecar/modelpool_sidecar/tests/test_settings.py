from pathlib import Path

import pytest

from modelpool_sidecar import settings
from modelpool_sidecar.settings import InvalidSettingError, Listen, Settings


def test_nothing_set_is_the_default() -> None:
    assert settings.read([], {}) == Settings()


def test_the_command_line_wins_over_the_environment() -> None:
    got = settings.read(
        ["--drain-delay", "1"], {"MODELPOOL_GATEWAY_DRAIN_DELAY": "2", "MODELPOOL_GATEWAY_LISTEN": ":1"}
    )
    assert (got.drain_delay, got.listen) == (1.0, (Listen("::", 1),))


@pytest.mark.parametrize(
    ("argv", "environ", "field", "want"),
    [
        (["--listen", "127.0.0.1:0", "--listen", "[::1]:5"], {}, "listen", (Listen("127.0.0.1", 0), Listen("::1", 5))),
        ([], {"MODELPOOL_GATEWAY_LISTEN": "a:1, b:2"}, "listen", (Listen("a", 1), Listen("b", 2))),
        (["--namespace", "x", "--namespace", "y"], {}, "namespaces", ("x", "y")),
        (["--open-admin", "pull"], {}, "open_admin", frozenset({"pull"})),
        (["--routes-file", "/r.json"], {}, "routes_file", Path("/r.json")),
        ([], {"MODELPOOL_GATEWAY_ACCESS_LOG": "off"}, "access_log", False),
        ([], {"MODELPOOL_GATEWAY_READ_TIMEOUT": ""}, "read_timeout", Settings().read_timeout),
    ],
)
def test_a_value_is_read(argv: list[str], environ: dict[str, str], field: str, want: object) -> None:
    assert getattr(settings.read(argv, environ), field) == want


@pytest.mark.parametrize(
    ("argv", "environ", "says"),
    [
        (["--listen", "8100"], {}, "--listen must be HOST:PORT, got '8100'"),
        ([], {"MODELPOOL_GATEWAY_LISTEN": "a:99999"}, "MODELPOOL_GATEWAY_LISTEN must be HOST:PORT, got 'a:99999'"),
        (["--open-admin", "format"], {}, "--open-admin must be one of blobs, collective_rpc, copy, create, delete, "),
        (["--log-format", "xml"], {}, "--log-format must be json or text, got 'xml'"),
        (["--max-body-bytes", "0"], {}, "--max-body-bytes must be a number of bytes, got '0'"),
        (["--routes-file", "x", "--namespace", "y"], {}, "must not be combined"),
    ],
)
def test_a_wrong_value_is_refused_by_name(argv: list[str], environ: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        settings.read(argv, environ)
    assert says in str(caught.value)


def test_every_field_can_be_set() -> None:
    found_around_us = {"api_server", "default_kubeconfigs"}
    assert {option.field for option in settings.OPTIONS} == set(Settings.__dataclass_fields__) - found_around_us


@pytest.mark.parametrize(
    ("environ", "api_server", "kubeconfigs"),
    [
        ({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}, ("10.96.0.1", "443"), ()),
        ({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, None, ()),
        ({"HOME": "/home/ada"}, None, (Path("/home/ada/.kube/config"),)),
        ({"HOME": "/home/ada", "KUBECONFIG": "/a::/b"}, None, (Path("/a"), Path("/b"))),
    ],
)
def test_the_cluster_around_us_is_found(
    environ: dict[str, str], api_server: tuple[str, str] | None, kubeconfigs: tuple[Path, ...]
) -> None:
    got = settings.read([], environ)
    assert (got.api_server, got.default_kubeconfigs) == (api_server, kubeconfigs)
