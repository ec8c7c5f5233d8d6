"""What a program of `programs/` uses to measure its work and to say what it found. The other end is harness.py."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any, Self


class Work:
    """The seconds of a block: `with Work() as work: ...`, then `report(**work.seconds)`."""

    def __enter__(self) -> Self:
        self._wall, self._cpu = time.monotonic(), cpu_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = {"wall_seconds": time.monotonic() - self._wall, "cpu_seconds": cpu_seconds() - self._cpu}


def cpu_seconds() -> float:
    """User and system seconds of this process and of the children it has waited for."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def peak_memory_mb() -> float:
    """Greatest resident size of this process since its program began, or of the largest child it has waited for.

    From /proc: getrusage counts the program that started this one too, when it was the larger.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def report(*, found: Any = None, items: float = 1, **said: Any) -> None:
    """The last line a program prints."""
    print(json.dumps({"found": found, "items": items, "memory_mb": peak_memory_mb(), "process_cpu_seconds": cpu_seconds(), **said}))
