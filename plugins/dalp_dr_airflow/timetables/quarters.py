"""The drill calendar as an Airflow timetable: one slot a quarter, moved on in blackouts, and never one that has passed."""

from __future__ import annotations

from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import UTC, DateTime, Duration, instance

from dalp_dr.model.watch import Calendar
from dalp_dr.posture import calendar

# The scheduler makes a run some seconds after its slot, and the DAG processor may ask for the next slot in between. Without
# this the slot would be lost then. It is also the most that unpausing can look back.
GRACE = Duration(minutes=10)


def now() -> DateTime:
    """The scheduler's clock."""
    return DateTime.now(UTC)


class DrillCalendarTimetable(Timetable):
    """Slots of `posture.calendar`. A slot that passed while the DAG was paused or Airflow was down is not made up for: a drill
    at an hour nobody expects is worse than one that is reported as missed (check `drill_on_schedule`).
    """

    def __init__(self, calendar: Calendar | None = None, months: tuple[int, ...] = calendar.QUARTER_MONTHS) -> None:
        self.calendar, self.months = calendar or Calendar(), tuple(months)
        self.description = f"{self.summary}, {len(self.calendar.blackouts)} blackouts"

    @property
    def summary(self) -> str:
        """What the page shows."""
        day = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[self.calendar.weekday]
        return f"first {day} of months {', '.join(map(str, self.months))} at {self.calendar.hour:02d}:00 UTC"

    def serialize(self) -> dict[str, Any]:
        return {"calendar": self.calendar.model_dump(mode="json"), "months": list(self.months)}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> DrillCalendarTimetable:
        return cls(Calendar.model_validate(data["calendar"]), tuple(data["months"]))

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        return DataInterval.exact(run_after)

    def next_dagrun_info(self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction) -> DagRunInfo | None:
        """The first slot that is not past and after the last run; neither a start date nor catchup brings back an older one."""
        earliest = now() - GRACE
        if last_automated_data_interval is not None:
            earliest = max(earliest, last_automated_data_interval.end.add(seconds=1))
        if restriction.earliest is not None:
            earliest = max(earliest, restriction.earliest)
        slot = instance(calendar.at_or_after(self.calendar, earliest, self.months))
        return None if restriction.latest is not None and slot > restriction.latest else DagRunInfo.exact(slot)

    def generate_run_id(self, *, run_type: Any, run_after: DateTime, data_interval: DataInterval | None, **extra: Any) -> str:
        """Named after the quarter: `scheduled__2026Q4__2026-10-06T06:00:00+00:00`."""
        return f"{run_type.value}__{run_after.year}Q{(run_after.month - 1) // 3 + 1}__{run_after.isoformat()}"
