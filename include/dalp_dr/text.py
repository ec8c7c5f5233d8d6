"""Text of unknown origin, made safe to look at."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_UNITS = ((3600, 60, "min", 1, "s"), (86400, 3600, "h", 60, "min"), (math.inf, 86400, "d", 3600, "h"))


def visible(value: object) -> str:
    """`value` as text in which control characters, direction marks and broken code points show as escapes.

    Names come from production and may be hostile; nothing in them may move a cursor or turn the reading direction.
    """
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    if character == "\n":
        return " ⏎ "
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def seconds(value: float | None) -> str:
    """A duration as people say it: `48 s`, `6 min 52 s`, `2 h 05 min`, `1 d`; `not measured` for None."""
    if value is None:
        return "not measured"
    whole = round(value)
    if whole < 60:
        return f"{value:.1f} s" if value < 10 and value != whole else f"{whole} s"
    for limit, size, unit, smaller_size, smaller in _UNITS:
        if whole < limit:
            count, rest = divmod(whole, size)
            return f"{count} {unit} {rest // smaller_size:02d} {smaller}" if rest // smaller_size else f"{count} {unit}"
    raise ValueError(f"{value} is no duration")


def moment(value: str) -> str:
    """An RFC 3339 time as `2026-10-06 06:00:00 UTC`; what is no time with a zone stays as it is."""
    try:
        read = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return visible(value)
    return f"{read.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if read.tzinfo else visible(value)
