"""Images as OCI archives: what is in them is found again by its digest, and equal inputs make equal bytes."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

from modelpool_cluster.node import archive


def _tree(folder: Path, *, mtime: int) -> Path:
    (folder / "usr").mkdir(parents=True)
    (folder / "usr" / "program").write_text("#!/bin/sh\n")
    (folder / "doc").mkdir()
    (folder / "doc" / "manual").write_text("long")
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (mtime, mtime))
    return folder


def test_equal_folders_make_equal_layers_whenever_they_are_written(tmp_path: Path) -> None:
    layers = [
        archive.write_layer(tmp_path / f"{number}.tar", {"": _tree(tmp_path / str(number), mtime=number * 1000)})
        for number in (1, 2)
    ]

    assert layers[0].digest == layers[1].digest


def test_what_is_left_out_is_named_by_its_place_in_the_image(tmp_path: Path) -> None:
    root = _tree(tmp_path / "root", mtime=1)
    layer = archive.write_layer(tmp_path / "layer.tar", {"": root}, lambda name: name != "doc")

    with tarfile.open(layer.path) as tarball:
        names = {name.removeprefix("./") for name in tarball.getnames()}
    assert names == {".", "usr", "usr/program"}


def test_an_image_s_parts_are_found_by_their_digests(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("x")
    layer = archive.write_layer(tmp_path / "layer.tar", {"program": program})
    archive.write_image(tmp_path / "image.tar", "localhost/thing:1", [layer], {"Entrypoint": ["/program"]})

    with tarfile.open(tmp_path / "image.tar") as tarball:

        def read(name: str) -> bytes:
            file = tarball.extractfile(name)
            assert file is not None
            return file.read()

        def blob(digest: str) -> bytes:
            content = read(f"blobs/{digest.replace(':', '/')}")
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
            return content

        (entry,) = json.loads(read("index.json"))["manifests"]
        assert entry["annotations"]["io.containerd.image.name"] == "localhost/thing:1"
        manifest = json.loads(blob(entry["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))
        assert config["config"] == {"Entrypoint": ["/program"]}
        assert [blob(one["digest"]) for one in manifest["layers"]] == [layer.path.read_bytes()]
        assert config["rootfs"]["diff_ids"] == [layer.digest]
