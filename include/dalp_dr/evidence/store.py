"""Where evidence is kept: a few verbs that a folder, a bucket under object lock or a test's dictionary can offer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from dalp_dr.errors import EvidenceError


class EvidenceStore(Protocol):
    """Write once, read, list. Keys are relative POSIX paths.

    `put` of a key that exists with other bytes raises EvidenceError; with the same bytes it does nothing (a rerun).
    `get` of a key that is absent raises EvidenceError. `list` gives all keys below a prefix, sorted.
    """

    def put(self, key: str, data: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def list(self, prefix: str) -> tuple[str, ...]: ...


class FolderStore:
    """Evidence in a local folder; each file appears whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, key: str) -> Path:
        if not is_safe_key(key):
            raise EvidenceError(f"{key!r} is not a key below the evidence folder.", "Use a relative path without `..`.")
        return self.root / key

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
        unfinished.write_bytes(data)
        try:
            os.link(unfinished, path)  # fails when the name exists: nothing is ever overwritten
        except FileExistsError:
            if path.read_bytes() != data:
                raise EvidenceError(
                    f"{key} exists with other content; evidence is never overwritten.",
                    "Look at both; use a new attempt.",
                ) from None
        finally:
            unfinished.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except OSError as error:
            raise EvidenceError(
                f"{key} cannot be read from the evidence folder ({error.strerror}).", "Check that it was stored."
            ) from error

    def list(self, prefix: str) -> tuple[str, ...]:
        below = self.root / prefix.rpartition("/")[0]
        keys = (p.relative_to(self.root).as_posix() for p in below.rglob("*") if p.is_file() and p.suffix != ".part")
        return tuple(sorted(key for key in keys if key.startswith(prefix)))


def is_safe_key(key: str) -> bool:
    """True for a relative POSIX path that stays below its root and has no empty, dotted or odd parts."""
    return bool(key) and all(part not in ("", ".", "..") and "\\" not in part and part.isprintable() for part in key.split("/"))
