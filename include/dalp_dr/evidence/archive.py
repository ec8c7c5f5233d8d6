"""Reads a bundle from a folder, a tar or a zip archive; archives are read in memory and never extracted."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical, manifest
from dalp_dr.evidence.bundle import Bundle
from dalp_dr.evidence.store import is_safe_key

LIMIT_FILES = 100_000
LIMIT_BYTES = 2 * 1024**3
_NEXT = "Take the bundle from the evidence store."


def read_bundle(path: Path) -> Bundle:
    """Raises EvidenceError when there is no bundle, or the archive holds links, odd paths, doubles or too much."""
    if path.is_dir():
        files = _folder(path)
    elif not path.is_file():
        raise EvidenceError(f"{path}: there is no such file or folder.", "Give the folder or archive of a bundle.")
    elif zipfile.is_zipfile(path):
        files = _zip(path)
    elif tarfile.is_tarfile(path):
        files = _tar(path)
    else:
        raise EvidenceError(f"{path.name}: neither a folder nor a tar or zip archive.", "Give the folder or archive of a bundle.")
    if manifest.NAME not in files:
        raise EvidenceError(f"{path.name}: holds no bundle ({manifest.NAME} is missing).", "Give the folder of a bundle.")
    return Bundle(files, canonical.sha256(files[manifest.NAME]))


def _folder(root: Path) -> dict[str, bytes]:
    if root.joinpath("bundle", manifest.NAME).is_file() and not root.joinpath(manifest.NAME).is_file():
        root = root / "bundle"  # the folder of a drill was given
    files: dict[str, bytes] = {}
    total = 0
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise EvidenceError(f"{name}: neither a file nor a folder.", _NEXT)
        if path.is_file():
            total += path.stat().st_size
            _bound(len(files), total)
            files[name] = path.read_bytes()
    return files


def _zip(path: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            if (member.external_attr >> 28) not in (0, 8):  # not a regular file
                raise EvidenceError(f"{member.filename}: not a plain file in the archive.", _NEXT)
            total += member.file_size
            _add(files, member.filename, total)
            try:
                with archive.open(member) as stream:
                    files[member.filename] = stream.read(member.file_size + 1)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
                raise EvidenceError(f"{member.filename}: {error}.", _NEXT) from error
    return _without_top(files)


def _tar(path: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isdir():
                    continue
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is None:
                    raise EvidenceError(f"{member.name}: not a plain file in the archive.", _NEXT)
                total += member.size
                name = member.name.removeprefix("./")
                _add(files, name, total)
                files[name] = stream.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise EvidenceError(f"{path.name}: cannot be read to its end ({error}).", _NEXT) from error
    return _without_top(files)


def _add(files: dict[str, bytes], name: str, total: int) -> None:
    if not is_safe_key(name):
        raise EvidenceError(f"{name!r}: leads out of the archive or is no plain path.", _NEXT)
    if name in files:
        raise EvidenceError(f"{name}: is in the archive twice.", _NEXT)
    _bound(len(files), total)


def _bound(count: int, total: int) -> None:
    if count >= LIMIT_FILES or total > LIMIT_BYTES:
        raise EvidenceError(f"More than {LIMIT_FILES} files or {LIMIT_BYTES} bytes; this is no bundle of ours.", _NEXT)


def _without_top(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without the folder that all files lie in, when the manifest does too."""
    if manifest.NAME in files:
        return files
    tops = [name.removesuffix(manifest.NAME) for name in files if name.endswith(f"/{manifest.NAME}")]
    if len(tops) == 1 and all(name.startswith(tops[0]) for name in files):
        return {name.removeprefix(tops[0]): data for name, data in files.items()}
    return files
