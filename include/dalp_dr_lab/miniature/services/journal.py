"""The worker's journal: each step of each request as one line, on the disk before the step has an effect elsewhere."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class Journal:
    """An append-only file of JSON lines; the last line of a request is the step it had reached."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "requests.jsonl"
        self._path.touch()
        self._file = self._path.open("a")
        self.last: dict[int, dict[str, Any]] = {}
        with self._path.open() as lines:
            for line in lines:
                entry = json.loads(line)
                self.last[entry["request"]] = entry

    def write(self, request: int, step: str, **facts: object) -> None:
        """Add one step and wait until it is on the disk."""
        entry = {"at": time.time(), "request": request, "step": step, **facts}
        self._file.write(json.dumps(entry, sort_keys=True) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.last[request] = entry

    def raw_transaction(self, tx_hash: str) -> str | None:
        """The signed transaction with this hash, None when the journal has none."""
        with self._path.open() as lines:
            for line in lines:
                entry = json.loads(line)
                if entry.get("tx_hash") == tx_hash and "raw" in entry:
                    return str(entry["raw"])
        return None
