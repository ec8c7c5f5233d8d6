"""The drill calendar in Airflow: slots, blackouts, and nothing that has passed."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction

from dalp_dr.model.watch import Blackout, Calendar
from dalp_dr_airflow.timetables import quarters
from dalp_dr_airflow.timetables.quarters import DrillCalendarTimetable

FROZEN = Calendar(blackouts=(Blackout(first="2026-12-15", last="2027-01-08", reason="end of year freeze"),))


def at(text: str) -> pendulum.DateTime:
    return pendulum.parse(text, tz="UTC")  # type: ignore[return-value]


def following(now: str, last: str | None = None, start: str | None = None, catchup: bool = False, table: Any = None) -> str | None:
    """The next run that Airflow would plan at a moment."""
    found = table or DrillCalendarTimetable()
    interval = DataInterval.exact(at(last)) if last else None
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr(quarters, "now", lambda: at(now))
        info = found.next_dagrun_info(
            last_automated_data_interval=interval, restriction=TimeRestriction(at(start) if start else None, None, catchup)
        )
    return info.run_after.isoformat()[:16] if info else None


@pytest.mark.parametrize(
    ("now", "last", "start", "slot"),
    [
        ("2026-01-01T00:00", None, None, "2026-01-06T06:00"),
        ("2026-11-24T12:00", None, None, "2027-01-05T06:00"),
        ("2026-10-06T06:00", "2026-10-06T06:00", None, "2027-01-05T06:00"),
        ("2026-10-06T06:00:05", "2026-07-07T06:00", None, "2026-10-06T06:00"),  # the run is just being made
        ("2026-10-06T06:11", "2026-07-07T06:00", None, "2027-01-05T06:00"),  # Airflow was down: missed
        ("2026-11-24T12:00", "2025-10-07T06:00", None, "2027-01-05T06:00"),  # unpaused after a year
        ("2026-11-24T12:00", None, "2020-01-01T00:00", "2027-01-05T06:00"),  # with a start date
        ("2026-11-24T12:00", None, "2027-02-01T00:00", "2027-04-06T06:00"),  # not before its start date
    ],
)
@pytest.mark.parametrize("catchup", [False, True])
def test_a_past_slot_never_fires(now: str, last: str | None, start: str | None, slot: str, catchup: bool) -> None:
    assert following(now, last, start, catchup) == slot


def test_a_blackout_moves_the_slot_on_by_weeks() -> None:
    assert following("2026-11-24T12:00", table=DrillCalendarTimetable(FROZEN)) == "2027-01-12T06:00"


def test_a_timetable_survives_serialization() -> None:
    again = DrillCalendarTimetable.deserialize(DrillCalendarTimetable(FROZEN, (11,)).serialize())
    assert (again.calendar, again.months) == (FROZEN, (11,))


def test_a_run_is_named_after_its_quarter() -> None:
    from airflow.utils.types import DagRunType

    found = DrillCalendarTimetable().generate_run_id(run_type=DagRunType.SCHEDULED, run_after=at("2026-10-06T06:00"), data_interval=None)
    assert found == "scheduled__2026Q4__2026-10-06T06:00:00+00:00"


def test_the_quarterly_drill_keeps_the_environment_s_calendar(dagbag: Any) -> None:
    from dalp_dr_airflow.task_groups import settings

    assert dagbag.dags["quarterly_drill"].timetable.calendar == settings.default_environment().calendar
