"""The manifest: path, digest and size of every sealed file. Its own digest is the name of the bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import msgspec

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical

NAME = "manifest.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class File:
    """One sealed file; the path is relative to the bundle."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """`attempt` counts the seals of one drill; `previous` is the digest of the bundle sealed before in the same
    drill.
    """

    drill_id: str
    attempt: int
    previous: str | None
    files: tuple[File, ...]
    schema_version: int = SCHEMA_VERSION

    def encode(self) -> bytes:
        return canonical.dumps(
            {
                "drill_id": self.drill_id,
                "attempt": self.attempt,
                "previous": self.previous,
                "files": [asdict(f) for f in self.files],
                "schema_version": self.schema_version,
            }
        )

    def digest_of(self, path: str) -> str | None:
        return next((f.sha256 for f in self.files if f.path == path), None)


def of(drill_id: str, attempt: int, previous: str | None, files: Mapping[str, bytes]) -> Manifest:
    """The manifest of these files, in the order of their paths."""
    return Manifest(
        drill_id,
        attempt,
        previous,
        tuple(File(path, canonical.sha256(files[path]), len(files[path])) for path in sorted(files)),
    )


def decode(data: bytes) -> Manifest:
    """Raises EvidenceError when it is not a manifest of this version."""
    content = canonical.loads(data, NAME)
    if isinstance(content, dict) and isinstance(version := content.get("schema_version"), int) and version > SCHEMA_VERSION:
        raise EvidenceError(
            f"{NAME}: schema version {version}; this version reads up to {SCHEMA_VERSION}.",
            "Use the version of dalp_dr that wrote it.",
        )
    try:
        return msgspec.convert(content, Manifest)
    except msgspec.ValidationError as error:
        raise EvidenceError(f"{NAME}: not a manifest ({error}).", "Take the file from the evidence store.") from error


def problems(manifest: Manifest, files: Mapping[str, bytes], beside: Iterable[str]) -> list[str]:
    """What differs between the manifest and the files; `beside` are paths that are there by right without being
    listed.
    """
    found = []
    listed = [f.path for f in manifest.files]
    if listed != sorted(set(listed)):
        found.append(f"{NAME}: the files are not listed once each in the order of their paths")
    for file in manifest.files:
        if (data := files.get(file.path)) is None:
            found.append(f"{file.path}: missing; the manifest lists it")
        elif canonical.sha256(data) != file.sha256 or len(data) != file.size_bytes:
            found.append(f"{file.path}: changed; its digest is not the one in the manifest")
    found += [f"{path}: not in the manifest" for path in sorted(set(files) - set(listed) - set(beside))]
    return found
