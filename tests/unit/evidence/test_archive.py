"""Bundles from folders and archives; an archive can neither write a file nor lead anywhere."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence.archive import read_bundle
from synthetic_drill import decided, sealed

WHOLE = decided(sealed())


def tar(files: dict[str, bytes], mode: str = "w:gz", extra: tarfile.TarInfo | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        if extra is not None:
            archive.addfile(extra)
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def below(top: str) -> dict[str, bytes]:
    return {f"{top}/{name}": data for name, data in WHOLE.files.items()}


GOOD = {
    "tar.gz": tar(dict(WHOLE.files)),
    "tar": tar(dict(WHOLE.files), "w"),
    "tar with a top folder": tar(below("bundle")),
    "tar with dots": tar(below(".")),
    "zip": zipped(dict(WHOLE.files)),
    "zip with a top folder": zipped(below("d/bundle")),
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD.keys())
def test_reads(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "evidence"
    path.write_bytes(data)
    assert read_bundle(path).files == WHOLE.files


def link(kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo("plan.json")
    member.type, member.linkname = kind, "/etc/passwd"
    return member


ZIP_LINK = zipfile.ZipInfo("plan.json")
ZIP_LINK.external_attr = 0o120777 << 16
BAD = {
    "a path that leads out": tar({"../evil": b"x", **WHOLE.files}),
    "an absolute path": tar({"/etc/evil": b"x", **WHOLE.files}),
    "a zip path that leads out": zipped({"../evil": b"x", **WHOLE.files}),
    "a backslash path": zipped({"..\\evil": b"x", **WHOLE.files}),
    "a symbolic link": tar({"manifest.json": b"{}"}, extra=link(tarfile.SYMTYPE)),
    "a hard link": tar({"manifest.json": b"{}"}, extra=link(tarfile.LNKTYPE)),
    "a device": tar({"manifest.json": b"{}"}, extra=link(tarfile.CHRTYPE)),
    "a name given twice": tar({"manifest.json": b"{}"}, extra=tarfile.TarInfo("manifest.json")),
    "half an archive": GOOD["tar.gz"][: len(GOOD["tar.gz"]) // 2],
    "no bundle in it": tar({"hello.txt": b"x"}),
    "no archive": b"hello",
    "nothing": b"",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_refuses(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "inside" / "evidence"
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(EvidenceError):
        read_bundle(path)
    assert [p.name for p in tmp_path.rglob("*")] == ["inside", "evidence"]


def test_a_symbolic_link_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "evidence.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", b"{}")
        archive.writestr(ZIP_LINK, "/etc/passwd")
    with pytest.raises(EvidenceError, match="not a plain file"):
        read_bundle(path)


def test_a_symbolic_link_in_a_folder(tmp_path: Path) -> None:
    WHOLE.write(tmp_path / "bundle")
    (tmp_path / "bundle" / "captures" / "link").symlink_to("/etc/passwd")
    with pytest.raises(EvidenceError, match="neither a file nor a folder"):
        read_bundle(tmp_path / "bundle")


def test_the_folder_of_a_drill_stands_for_its_bundle(tmp_path: Path) -> None:
    WHOLE.write(tmp_path / "bundle")
    assert read_bundle(tmp_path).files == read_bundle(tmp_path / "bundle").files == WHOLE.files


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="no such file"):
        read_bundle(tmp_path / "absent")
