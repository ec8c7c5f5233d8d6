"""WAL positions and the names of WAL files."""

from __future__ import annotations

import re

from dalp_dr.errors import FactError

_SEGMENT = re.compile(r"[0-9A-F]{24}")
_LOG_BYTES = 1 << 32


def parse(text: str) -> int:
    """`0/2202D70` as a number of bytes. Raises FactError."""
    high, slash, low = text.strip().partition("/")
    try:
        if not slash:
            raise ValueError(text)
        return (int(high, 16) << 32) | int(low, 16)
    except ValueError:
        raise FactError(f"{text!r} is not a WAL position.", "Look at where it came from.") from None


def show(position: int) -> str:
    """The position as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def is_segment(name: str) -> bool:
    """True for the 24 hexadecimal digits of a complete segment."""
    return _SEGMENT.fullmatch(name) is not None


def split(name: str, segment_bytes: int) -> tuple[int, int]:
    """`(timeline, segment number)` of a segment's file name."""
    if not is_segment(name):
        raise FactError(f"{name!r} is not the name of a WAL segment.", "Look at where it came from.")
    return int(name[:8], 16), int(name[8:16], 16) * (_LOG_BYTES // segment_bytes) + int(name[16:], 16)


def name(timeline: int, number: int, segment_bytes: int) -> str:
    """File name of a segment."""
    log, segment = divmod(number, _LOG_BYTES // segment_bytes)
    return f"{timeline:08X}{log:08X}{segment:08X}"
