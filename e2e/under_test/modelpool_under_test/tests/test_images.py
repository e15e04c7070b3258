"""Looking into images: what layers add and take away, and what breaks a promise. Archives made here, nothing built."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from modelpool_under_test.images import contents, held
from modelpool_under_test.images.contents import Contents
from modelpool_under_test.images.held import Start


def _tar(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tarball:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.uid, entry.gid = os.getuid(), os.getgid()
            if name.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            entry.size = len(content)
            tarball.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def _archive(folder: Path, *layers: dict[str, bytes], config: dict[str, Any] | None = None) -> Path:
    names = [f"{number}/layer.tar" for number, _ in enumerate(layers)]
    told = {"config": config or {"User": "65532:65532"}}
    files = {
        "config.json": json.dumps(told).encode(),
        "manifest.json": json.dumps([{"Config": "config.json", "Layers": names}]).encode(),
        **{name: _tar(layer) for name, layer in zip(names, layers, strict=True)},
    }
    path = folder / "image.tar"
    path.write_bytes(_tar(files))
    return path


LAYERS = (
    {"usr/": b"", "usr/bin/": b"", "usr/bin/python3": b"p", "usr/bin/pip": b"x", "opt/": b"", "opt/old/": b""},
    {"opt/old/a": b"1", "opt/old/b": b"2", "opt/kept": b"3"},
    {"usr/bin/.wh.pip": b"", "opt/.wh.old": b"", "usr/bin/python3": b"newer"},
    {"opt/new/": b"", "opt/new/.wh..wh..opq": b"", "opt/new/c": b"4"},
)


def test_layers_are_laid_over_each_other(tmp_path: Path) -> None:
    found = contents.read(_archive(tmp_path, *LAYERS))
    assert {str(file) for file in found.files} == {"usr/bin/python3", "opt/kept", "opt/new/c"}
    assert found.config["User"] == "65532:65532"
    assert len(found.layers) == 4


def test_what_is_unpacked_is_what_was_read(tmp_path: Path) -> None:
    archive = _archive(tmp_path, *LAYERS)
    contents.unpack(archive, root := tmp_path / "root")
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert files == {str(file) for file in contents.read(archive).files}
    assert (root / "usr/bin/python3").read_bytes() == b"newer"


def test_another_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(_tar({"a": b""}))
    with pytest.raises(ValueError, match="is no archive that docker loads"):
        contents.read(tmp_path / "x.tar")


def image(*files: str, size: int = 1, user: str = "65532:65532") -> Contents:
    return Contents(
        config={"User": user},
        layers=(("base", 100_000_000), (f"own {files} {size}", size)),
        files=frozenset(map(PurePosixPath, files)),
    )


def start(seconds: float, *, processor: float = 0.9, undisturbed: bool = True) -> Start:
    return Start(seconds=seconds, processor_seconds=processor, undisturbed=undisturbed)


def problems(sidecar: Contents, began: Start | None = None) -> list[str]:
    return list(held.problems({"sidecar": sidecar, "engines": image("a", size=2, user="0:0")}, began))


def test_what_is_promised_is_no_problem() -> None:
    assert problems(image("usr/bin/python3", "usr/bin/ldd", "usr/bin/asc", size=89_000_000), start(2.0)) == []
    assert problems(image()) == []
    assert problems(image(), start(9.0, undisturbed=False)) == []


@pytest.mark.parametrize(
    ("sidecar", "began", "says"),
    [
        (image(size=90_100_000), start(1.0), "sidecar must stay below 90 MB above its base, got 90.1 MB"),
        (image(), start(2.1), "sidecar must be ready within 2 s, got 2.1 s"),
        (
            image(),
            start(9.0, processor=2.1, undisturbed=False),
            "sidecar must be ready within 2 s of a processor, got 2.1 s",
        ),
        (image(user="0:0"), start(1.0), "sidecar must run as a user that is a number and not root, got '0'"),
        (image(user=""), start(1.0), "sidecar must run as a user that is a number and not root, got '0'"),
        (image(user="nobody"), start(1.0), "sidecar must run as a user that is a number and not root, got 'nobody'"),
        (image("usr/bin/gcc-12"), start(1.0), "sidecar must hold neither pip nor a compiler, got usr/bin/gcc-12"),
        (
            image("usr/bin/x86_64-linux-gnu-ld"),
            start(1.0),
            "sidecar must hold neither pip nor a compiler, got usr/bin/",
        ),
        (
            image("opt/venv/bin/pip3.11"),
            start(1.0),
            "sidecar must hold neither pip nor a compiler, got opt/venv/bin/pip3.11",
        ),
        (
            image("usr/lib/python3/dist-packages/pip/__init__.py"),
            start(1.0),
            "sidecar must hold neither pip nor a compiler, got usr/lib/python3/dist-packages/pip/__init__.py",
        ),
    ],
)
def test_what_is_not_kept_is_named(sidecar: Contents, began: Start, says: str) -> None:
    (found,) = problems(sidecar, began)
    assert found.startswith(says)


def test_a_gateway_that_is_not_compiled_is_named() -> None:
    library = "opt/venv/lib/python3.11/site-packages"
    files = [
        f"{library}/{name}" for name in ("gateway/a.cpython-311-x86_64-linux-gnu.so", "gateway/a.py", "gateway/b.py")
    ]
    images = {"sidecar": image(*files), "engines": image("x", size=2, user="0:0")}

    assert list(held.problems(images, None, ["gateway.a"])) == []
    (found,) = held.problems(images, None, ["gateway.a", "gateway.b"])
    assert found == "sidecar must hold 1 more of its modules compiled, such as gateway.b"
