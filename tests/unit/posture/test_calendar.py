"""On which days drills are due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from dalp_dr.model.watch import Blackout, Calendar
from dalp_dr.posture import calendar


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def frozen(*spans: tuple[str, str]) -> Calendar:
    return Calendar(blackouts=tuple(Blackout(first=a, last=b, reason="freeze") for a, b in spans))


@pytest.mark.parametrize(
    ("moment", "blackouts", "due"),
    [
        ("2026-01-01T00:00", (), "2026-01-06T06:00"),
        ("2026-01-06T06:00", (), "2026-01-06T06:00"),
        ("2026-01-06T06:01", (), "2026-04-07T06:00"),
        ("2026-12-31T23:59", (), "2027-01-05T06:00"),
        ("2026-01-01T00:00", (("2025-12-20", "2026-01-10"),), "2026-01-13T06:00"),
        ("2026-01-01T00:00", (("2026-01-06", "2026-01-06"),), "2026-01-13T06:00"),
        ("2026-01-07T00:00", (("2026-01-06", "2026-01-06"),), "2026-01-13T06:00"),
        ("2026-01-01T00:00", (("2026-01-06", "2026-01-06"), ("2026-01-12", "2026-01-14")), "2026-01-20T06:00"),
        ("2026-01-01T00:00", (("2026-01-01", "2026-04-03"),), "2026-04-07T06:00"),
    ],
)
def test_the_next_slot(moment: str, blackouts: tuple[tuple[str, str], ...], due: str) -> None:
    assert calendar.at_or_after(frozen(*blackouts), day(moment)) == day(due)


def test_the_slot_before() -> None:
    assert calendar.before(Calendar(), day("2026-11-24T00:00")) == day("2026-10-06T06:00")
    assert calendar.before(Calendar(), day("2026-10-06T06:00")) == day("2026-07-07T06:00")


def test_another_weekday_and_hour() -> None:
    assert calendar.at_or_after(Calendar(weekday=5, hour=22), day("2026-01-01T00:00")) == day("2026-01-03T22:00")


def test_once_a_year() -> None:
    assert calendar.at_or_after(Calendar(), day("2026-01-01T00:00"), months=(11,)) == day("2026-11-03T06:00")


def test_a_blackout_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match="is before first"):
        Blackout(first="2026-02-01", last="2026-01-01", reason="freeze")
