"""On which days drills are due: one slot a quarter, moved on by weeks where a blackout covers it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from dalp_dr.model.watch import Calendar

QUARTER_MONTHS = (1, 4, 7, 10)
MOVES_AT_MOST = 60  # weeks; a longer blackout is no calendar any more


def slot(calendar: Calendar, year: int, month: int) -> datetime:
    """The slot that belongs to a month: its first given weekday outside of blackouts, UTC."""
    day = date(year, month, 1)
    day += timedelta(days=(calendar.weekday - day.weekday()) % 7)
    for _ in range(MOVES_AT_MOST):
        if not any(b.first <= day.isoformat() <= b.last for b in calendar.blackouts):
            break
        day += timedelta(days=7)
    return datetime(day.year, day.month, day.day, calendar.hour, tzinfo=UTC)


def at_or_after(calendar: Calendar, moment: datetime, months: tuple[int, ...] = QUARTER_MONTHS) -> datetime:
    """The first slot not before `moment`."""
    return min(s for s in _slots(calendar, moment, months) if s >= moment)


def before(calendar: Calendar, moment: datetime, months: tuple[int, ...] = QUARTER_MONTHS) -> datetime:
    """The newest slot before `moment`."""
    return max(s for s in _slots(calendar, moment, months) if s < moment)


def _slots(calendar: Calendar, moment: datetime, months: tuple[int, ...]) -> list[datetime]:
    year = moment.astimezone(UTC).year
    return [slot(calendar, y, month) for y in range(year - 3, year + 4) for month in months]
