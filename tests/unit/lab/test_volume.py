"""A volume is right only while every byte that its manifest names is there."""

import subprocess
from pathlib import Path

import pytest

from dalp_dr_lab.miniature.services import volume


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    volume.initialise(tmp_path, "worker")
    return tmp_path


def test_initialised_volume_is_right(folder: Path) -> None:
    volume.check(folder)


def test_manifest_is_sha256sums(folder: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0


def test_same_seed_same_bytes(folder: Path, tmp_path: Path) -> None:
    volume.initialise(tmp_path / "again", "worker")
    assert (folder / "SHA256SUMS").read_bytes() == (tmp_path / "again/SHA256SUMS").read_bytes()


def test_empty_volume(tmp_path: Path) -> None:
    with pytest.raises(volume.VolumeError, match="empty or was never initialised"):
        volume.check(tmp_path)


@pytest.mark.parametrize("damage", ["remove", "change", "empty manifest"])
def test_damaged_volume(folder: Path, damage: str) -> None:
    path = folder / "static/worker-3.bin"
    if damage == "remove":
        path.unlink()
    elif damage == "change":
        path.write_bytes(path.read_bytes()[:-1] + b"\x00\x01")
    else:
        (folder / "SHA256SUMS").write_text("")
    with pytest.raises(volume.VolumeError):
        volume.check(folder)
