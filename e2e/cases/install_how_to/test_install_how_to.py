"""The first page of the documentation, executed line by line on a real node: what it says is what happens.

`docker` and `kind` are played, for the images were built before the first test and there is one node; so is Ollama's
own client. kubectl, helm, curl, the chart, the pods and every answer are real.
"""

import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from install_how_to_page import Command, Shell, UnexpectedError, commands, matches

from modelpool_cluster.node.cluster import NodeCluster
from modelpool_under_test.images import Images
from modelpool_under_test.node.release import NAMESPACE, ROOT

PAGE: Final = ROOT / "docs" / "how-to" / "install.md"
STAND_INS: Final = Path(__file__).with_name("stand_ins")
_COMMAND_SECONDS: Final = 330


@pytest.fixture
def shell(node_cluster: NodeCluster, node_images: Images, tmp_path: Path) -> Iterator[Shell]:
    """A reader's shell in the repository, with his tools and his cluster."""
    assert node_cluster.api.find(f"/api/v1/namespaces/{NAMESPACE}") is None, "something is installed: run me first"
    binaries = node_cluster.binaries
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, program in (("kubectl", binaries.control_plane()["kubectl"].path), ("helm", binaries.helm())):
        (tools / name).symlink_to(program)
    environment = {
        "PATH": f"{STAND_INS}:{tools}:{ROOT / '.venv' / 'bin'}:{os.defpath}:/usr/bin",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(node_cluster.kubeconfig),
        "COLUMNS": "160",
        "NODE_CTR": shlex.join(node_cluster.machine.ctr()),
    }
    for _ in range(2):  # the node has no provisioner
        node_cluster.add_volume()
    with Shell(ROOT, environment, tmp_path / "shell.log") as found:
        yield found


def test_the_install_page_does_what_it_says(node_cluster: NodeCluster, shell: Shell) -> None:
    found = list(commands(PAGE.read_text()))
    assert len(found) > 20, found
    for command in found:
        began = time.monotonic()
        shell.run(command, timeout=_COMMAND_SECONDS)
        print(f"{time.monotonic() - began:5.1f} s  {command.text.splitlines()[0]}")
    left = node_cluster.kubectl("get", "crd,clusterrole,namespace", "--output=name")
    assert "modelpool" not in left, left


# -- how the page is read ---------------------------------------------------------------------------------------------


def test_a_page_is_read_as_commands_and_outputs() -> None:
    page = (
        "# A page\n\n```console\n$ one\nsays this\nand that\n$ two \\\n    more\n```\n"
        "```yaml\na: b\n```\n```sh\nthree\nfour\n```\n"
    )
    assert list(commands(page)) == [
        Command(line=4, text="one", output=("says this", "and that")),
        Command(line=7, text="two \\\n    more"),
        Command(line=14, text="three"),
        Command(line=15, text="four"),
    ]


@pytest.mark.parametrize(
    ("wanted", "printed", "same"),
    [
        (("a b",), "a     b  \n", True),
        (("a b",), "a b c\n", False),
        (("a b",), "a b\nc\n", False),
        (("pod-…  1/1  …",), "pod-7f-x   1/1   32s\n", True),
        (("pod-…  1/1  …",), "pod-7f-x   0/1   32s\n", False),
        (("a", "…", "z"), "a\nb\nc\nz\n", True),
        (("a", "…", "z"), "a\nz\n", True),
        (("a", "…", "z"), "a\nb\n", False),
        (("a.c",), "abc\n", False),
        (("…",), "", True),
    ],
)
def test_outputs_are_compared_with_what_may_differ(wanted: tuple[str, ...], printed: str, same: bool) -> None:
    assert matches(wanted, printed) is same


def test_a_shell_keeps_its_state_and_tells_failures(tmp_path: Path) -> None:
    with Shell(tmp_path, {"PATH": os.defpath}, tmp_path / "log") as shell:
        shell.run(Command(line=1, text="kept=yes"), timeout=30)
        assert shell.run(Command(line=2, text='echo "$kept"', output=("yes",)), timeout=30) == "yes\n"
        with pytest.raises(UnexpectedError, match=r"line 3: false\nended with 1"):
            shell.run(Command(line=3, text="false"), timeout=30)
        with pytest.raises(UnexpectedError, match=r"(?s)line 4.*printed:\nno\n.*not:\nyes"):
            shell.run(Command(line=4, text="echo no", output=("yes",)), timeout=30)
        with pytest.raises(UnexpectedError, match="did not end"):
            shell.run(Command(line=5, text="sleep 60"), timeout=0.2)
