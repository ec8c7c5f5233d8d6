"""Image archives are OCI layouts in which every digest is the digest of what it names."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from dalp_dr_lab.cluster.images import Files, Image, archive_name, write


@pytest.fixture
def archive(tmp_path: Path) -> tarfile.TarFile:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/motd").write_text("hello")
    (root / "proc").mkdir()
    (root / "proc/1").write_text("of the machine, not of the image")
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    extra = Files(programs={"/bin/program": program}, texts={"/etc/note": "n"}, links={"/p": "bin/program"}, open_folders=["/tmp"])
    images = [Image("docker.io/local/a:1"), Image("docker.io/local/b:1", entrypoint=["/bin/program"], user="65532")]
    return tarfile.open(write(tmp_path / "image.tar", [root, extra], images))


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def test_every_blob_is_what_its_name_says(archive: tarfile.TarFile) -> None:
    blobs = [name for name in archive.getnames() if name.startswith("blobs/sha256/")]
    assert len(blobs) == 6
    for name in blobs:
        assert hashlib.sha256(_read(archive, name)).hexdigest() == name.rpartition("/")[2]


def test_images_share_their_layers_and_differ_in_their_start(archive: tarfile.TarFile) -> None:
    first, second = json.loads(_read(archive, "index.json"))["manifests"]
    assert first["annotations"]["io.containerd.image.name"] == "docker.io/local/a:1"
    manifests = [json.loads(_read(archive, f"blobs/sha256/{m['digest'][7:]}")) for m in (first, second)]
    assert manifests[0]["layers"] == manifests[1]["layers"]
    configs = [json.loads(_read(archive, f"blobs/sha256/{m['config']['digest'][7:]}"))["config"] for m in manifests]
    assert configs[0]["Cmd"] == ["/bin/sh"]
    assert configs[1]["Entrypoint"] == ["/bin/program"]
    assert configs[1]["User"] == "65532"


def test_layers_hold_the_files_and_nothing_of_the_machine(archive: tarfile.TarFile, tmp_path: Path) -> None:
    manifest = json.loads(_read(archive, "index.json"))["manifests"][0]
    layers = json.loads(_read(archive, f"blobs/sha256/{manifest['digest'][7:]}"))["layers"]
    found: dict[str, tarfile.TarInfo] = {}
    for layer in layers:
        path = tmp_path / "layer.tar"
        path.write_bytes(_read(archive, f"blobs/sha256/{layer['digest'][7:]}"))
        with tarfile.open(path) as opened:
            found |= {entry.name.removeprefix("./"): entry for entry in opened}
    assert "etc/motd" in found
    assert "proc/1" not in found
    assert found["bin/program"].mode == 0o755
    assert found["tmp"].mode == 0o1777
    assert found["p"].linkname == "bin/program"


def test_the_archive_is_named_after_the_image() -> None:
    assert archive_name("docker.io/local/dalp:1") == "docker.io_local_dalp_1.tar"
