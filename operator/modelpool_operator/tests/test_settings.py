"""Settings: arguments over environment over defaults, and no nonsense."""

from pathlib import Path

import pytest

from modelpool_operator import settings
from modelpool_operator.settings import Address, LogFormat, Settings


def test_defaults() -> None:
    assert settings.load([], {}) == Settings()


def test_every_option_is_taken() -> None:
    told = settings.load(
        [
            *("--namespace", "a", "--namespace", "b", "--namespace=a", "--kubeconfig", "/k", "--workers", "9"),
            *("--resync-seconds", "1.5", "--health-address", "[::]:1", "--metrics-address", "0.0.0.0:0"),
            *("--log-format", "text", "--log-level", "DEBUG", "--gateway-service", "g", "--gateway-namespace", "n"),
        ],
        {},
    )
    assert told == Settings(
        namespaces=("a", "b"),
        kubeconfig=Path("/k"),
        workers=9,
        resync_seconds=1.5,
        health_address=Address("::", 1),
        metrics_address=Address("0.0.0.0", 0),
        log_format=LogFormat.TEXT,
        log_level="DEBUG",
        gateway_service="g",
        gateway_namespace="n",
    )


def test_the_environment_stands_in_for_absent_options() -> None:
    environ = {
        "MODELPOOL_OPERATOR_NAMESPACE": "a, b",
        "MODELPOOL_OPERATOR_WORKERS": "7",
        "MODELPOOL_OPERATOR_RESYNC_SECONDS": "30",
        "MODELPOOL_OPERATOR_HELP": "yes",
    }
    told = settings.load(["--workers", "8"], environ)
    assert (told.namespaces, told.workers, told.resync_seconds) == (("a", "b"), 8, 30)


def test_namespaces_of_the_command_line_replace_those_of_the_environment() -> None:
    assert settings.load(["--namespace", "c"], {"MODELPOOL_OPERATOR_NAMESPACE": "a,b"}).namespaces == ("c",)


@pytest.mark.parametrize(
    ("argv", "environ", "want"),
    [
        (["--workers", "0"], {}, "`workers` must be at least 1, got 0"),
        (["--resync-seconds", "0"], {}, "`resync-seconds` must be greater than 0"),
        (["--health-address", "8080"], {}, "must be 'host:port'"),
        (["--health-address", "a:70000"], {}, "must be 'host:port'"),
        (["--namespace", ""], {}, "`namespace` must not be empty"),
        ([], {"MODELPOOL_OPERATOR_WORKERS": "many"}, "argument --workers: invalid int value: 'many'"),
        ([], {"MODELPOOL_OPERATOR_LOG_FORMAT": "xml"}, "argument --log-format"),
    ],
)
def test_nonsense_ends_the_program(
    argv: list[str], environ: dict[str, str], want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        settings.load(argv, environ)
    assert ended.value.code == 2
    assert want in capsys.readouterr().err


def test_an_address_prints_as_it_is_written() -> None:
    assert Address.parse("127.0.0.1:80") == Address("127.0.0.1", 80)
    assert Address.parse(":80") == Address("", 80)
