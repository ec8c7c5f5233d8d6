"""dalp-rates: the scheduled refresh of exchange rates; writes one row and ends."""

from __future__ import annotations

import time

from .database import Database

PAIR = "EURUSD"
BASE_MICROS, SPAN_MICROS = 1_080_000, 20_000


def rate_micros(second: int) -> int:
    """A rate that moves slowly and is the same for everybody in the same minute."""
    return BASE_MICROS + (second // 60 * 7919) % SPAN_MICROS


if __name__ == "__main__":
    micros = rate_micros(int(time.time()))
    Database("dalp-rates").rows("insert into exchange_rate (pair, rate) values (%s, %s / 1000000.0) returning at", PAIR, micros)
