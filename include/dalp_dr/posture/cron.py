"""How far apart the runs of a schedule can be, and durations as Velero, CloudNativePG and Go write them."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timedelta

from dalp_dr.errors import FactError

_NAMES = {"@yearly": 8784.0, "@annually": 8784.0, "@monthly": 744.0, "@weekly": 168.0, "@daily": 24.0, "@midnight": 24.0, "@hourly": 1.0}
_DAYS = {name: str(number) for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}
_MONTHS = {
    name: str(number)
    for number, name in enumerate(("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), start=1)
}
_GO = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|ns)")
_HOURS = {"h": 1.0, "m": 1 / 60, "s": 1 / 3600, "ms": 1 / 3.6e6, "us": 1 / 3.6e9, "ns": 1 / 3.6e12}
_WINDOW = {"d": 1, "w": 7, "m": 30}
LOOKED_AT_DAYS = 400


def longest_gap_hours(expression: str) -> float:
    """The longest time between two runs, in hours. Five fields as Velero takes them, or six with seconds first as CloudNativePG does.

    Raises FactError for an expression that cannot be read.
    """
    words = [w for w in expression.split() if not w.startswith(("CRON_TZ=", "TZ="))]
    if len(words) == 1 and words[0].lower() in _NAMES:
        return _NAMES[words[0].lower()]
    if len(words) == 2 and words[0] == "@every":
        return hours(words[1])
    if len(words) == 6:
        words = words[1:]
    if len(words) != 5:
        raise FactError(f"Schedule {expression!r} has {len(words)} fields, not five.", "Write it as `minute hour day month weekday`.")
    try:
        minutes, hour, days, months = (_values(w, *r) for w, r in zip(words, ((0, 59), (0, 23), (1, 31), (1, 12)), strict=False))
        weekdays = {d % 7 for d in _values(words[4], 0, 7)}
    except ValueError as error:
        raise FactError(f"Schedule {expression!r} cannot be read ({error}).", "Correct the schedule.") from None
    either = not words[2].startswith("*") and not words[4].startswith("*")  # cron: both given means either of them
    times = sorted(h * 60 + m for h in hour for m in minutes)
    inside = max((b - a for a, b in itertools.pairwise(times)), default=0)
    start = datetime(2024, 1, 1)  # a leap year
    wanted = [
        day
        for n in range(LOOKED_AT_DAYS)
        if (day := start + timedelta(days=n)).month in months
        and ((day.day in days or day.isoweekday() % 7 in weekdays) if either else (day.day in days and day.isoweekday() % 7 in weekdays))
    ]
    if len(wanted) < 2:
        raise FactError(f"Schedule {expression!r} runs less than twice in {LOOKED_AT_DAYS} days.", "Correct the schedule.")
    between = max((b - a).days for a, b in itertools.pairwise(wanted)) * 1440 - times[-1] + times[0]
    return max(inside, between) / 60


def _values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.upper().split(","):
        span, _, step = part.partition("/")
        for names in (_DAYS, _MONTHS) if high in (7, 12) else ():
            for name, number in names.items():
                span = span.replace(name, number)
        first, _, last = span.partition("-")
        if span in ("*", "?"):
            begin, end = low, high
        else:
            begin = int(first)
            end = int(last) if last else (high if step else begin)
        every = int(step) if step else 1
        if not (low <= begin <= end <= high and every > 0):
            raise ValueError(f"{part} is outside {low} to {high}")
        found |= set(range(begin, end + 1, every))
    return found


def hours(duration: str) -> float:
    """A Go duration such as `720h0m0s`, in hours. Raises FactError."""
    parts = _GO.findall(duration)
    if not parts or "".join(n + u for n, u in parts) != duration:
        raise FactError(f"{duration!r} is not a duration.", "Write it as 720h0m0s.")
    return sum(float(number) * _HOURS[unit] for number, unit in parts)


def retention_days(policy: str) -> int:
    """Days of a CloudNativePG retention policy such as `30d`, `4w` or `1m`. Raises FactError."""
    if not re.fullmatch(r"[1-9]\d*[dwm]", policy):
        raise FactError(f"Retention policy {policy!r} is not one of CloudNativePG's.", "Write it as 30d, 4w or 1m.")
    return int(policy[:-1]) * _WINDOW[policy[-1]]
