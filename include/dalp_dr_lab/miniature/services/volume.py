"""Files that a service needs on its volume: made once at installation, checked at each start.

`python3 -m services.volume init FOLDER SEED` writes them; a service that finds them missing or changed is not ready.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

MANIFEST = "SHA256SUMS"
FILES = 6
FILE_BYTES = 48 * 1024


class VolumeError(Exception):
    """The volume does not hold what it must."""


def content(seed: str, index: int) -> bytes:
    """The known bytes of one file: a hash chain from the seed, so that they do not compress away."""
    out, block = bytearray(), hashlib.sha256(f"{seed}/{index}".encode()).digest()
    while len(out) < FILE_BYTES:
        out += block
        block = hashlib.sha256(block).digest()
    return bytes(out)


def initialise(folder: Path, seed: str) -> None:
    """Write the static files and their manifest (the format of sha256sum), durably."""
    (folder / "static").mkdir(parents=True, exist_ok=True)
    lines = []
    for index in range(FILES):
        data = content(seed, index)
        name = f"static/{seed}-{index}.bin"
        _write(folder / name, data)
        lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    _write(folder / MANIFEST, "".join(lines).encode())


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def check(folder: Path) -> None:
    """Raise VolumeError unless every file of the manifest is there with its bytes."""
    try:
        lines = (folder / MANIFEST).read_text().splitlines()
    except OSError:
        raise VolumeError(f"volume {folder} has no {MANIFEST}: it is empty or was never initialised") from None
    if not lines:
        raise VolumeError(f"volume {folder}: {MANIFEST} is empty")
    for line in lines:
        digest, _, name = line.partition("  ")
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError:
            raise VolumeError(f"volume {folder}: {name} is missing") from None
        if found != digest:
            raise VolumeError(f"volume {folder}: {name} has other bytes than {MANIFEST} says")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] != "init":
        raise SystemExit(__doc__)
    initialise(Path(sys.argv[2]), sys.argv[3])
