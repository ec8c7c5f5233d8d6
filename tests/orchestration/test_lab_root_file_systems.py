"""A root file system is made once, whole or not at all, and programs run in it whatever PATH the caller has. Root."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dalp_dr_lab.cluster import rootfs
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.errors import LabError

pytestmark = pytest.mark.lab


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(9, tmp_path)


def _fill(root: Path) -> None:
    root.mkdir()
    (root / "made").touch()


def test_a_root_file_system_is_made_once_for_a_recipe(cluster: Cluster) -> None:
    root = rootfs.folder(cluster, "base", "recipe", _fill)
    (root / "kept").touch()
    assert rootfs.folder(cluster, "base", "recipe", _fill) == root
    assert (root / "kept").exists()
    rootfs.folder(cluster, "base", "another recipe", _fill)
    assert not (root / "kept").exists()


def test_one_that_was_cut_short_is_made_anew(cluster: Cluster) -> None:
    def fail(root: Path) -> None:
        _fill(root)
        raise LabError("the network went away")

    with pytest.raises(LabError):
        rootfs.folder(cluster, "base", "recipe", fail)
    assert not (cluster.home / "rootfs/base").exists()
    assert (rootfs.folder(cluster, "base", "recipe", _fill) / "made").exists()


def test_programs_of_the_root_file_system_are_found_under_any_path(monkeypatch: pytest.MonkeyPatch) -> None:
    base = Cluster.of(0).home / "rootfs/base"
    chroot = shutil.which("chroot")
    assert chroot
    monkeypatch.setenv("PATH", str(Path(chroot).parent))
    rootfs.chroot(base, "apt-get --version")


def test_a_failing_script_says_its_last_words() -> None:
    with pytest.raises(LabError, match="no such package") as raised:
        rootfs.chroot(Cluster.of(0).home / "rootfs/base", "echo no such package; exit 3")
    assert "make setup" in str(raised.value)
