"""How far a long check has come, for the task's log: done of total, rate, time left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

SAY_EVERY_SECONDS = 10.0


class Progress:
    """Counts one kind of thing; a line at the first step, at the end, and otherwise at most every ten seconds."""

    def __init__(
        self, log: logging.Logger, what: str, total: float, unit: str, each: float = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`each`: how many of what is counted make one of `unit`, e.g. bytes and MB."""
        self._log, self._what, self._total, self._unit, self._each, self._clock = log, what, total, unit, each, clock
        self._began, self._done, self._said = clock(), 0.0, float("-inf")

    def step(self, amount: float) -> None:
        """`amount` more is done."""
        self._done += amount
        now = self._clock()
        if self._done < self._total and now - self._said < SAY_EVERY_SECONDS:
            return
        self._said, took = now, max(now - self._began, 1e-3)
        rate = self._done / took
        left = f"about {(self._total - self._done) / rate:.0f} s left" if rate and self._done < self._total else f"{took:.1f} s in all"
        done, total, speed = self._done / self._each, self._total / self._each, rate / self._each
        self._log.info("%s: %.0f of %.0f %s, %.1f %s/s, %s", self._what, done, total, self._unit, speed, self._unit, left)
