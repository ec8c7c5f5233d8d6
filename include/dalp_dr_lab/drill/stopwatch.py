"""How long each phase of the command took, said when the phase ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dalp_dr_lab.drill.progress import clock


class Stopwatch:
    """Seconds a phase, in the order in which the phases ran."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._say = say

    @contextmanager
    def phase(self, name: str, what: str) -> Iterator[None]:
        """Time a block, announced by `what`; a block that fails is timed too."""
        self._say(f"{name}: {what}")
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - began
            self._say(f"{name}: {clock(self.seconds[name])}")
