"""What the environment document says about the time between drills: when drills run, and what the hourly watch expects."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, model_validator

from dalp_dr.model.document import Document

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Blackout(Document):
    """Days, both included, on which no scheduled drill starts, and why."""

    first: Day
    last: Day
    reason: Annotated[str, Field(min_length=3)]

    @model_validator(mode="after")
    def ordered(self) -> Blackout:
        if date.fromisoformat(self.first) > date.fromisoformat(self.last):
            raise ValueError(f"last: {self.last} is before first ({self.first})")
        return self


class Calendar(Document):
    """When scheduled drills start: the first given weekday of a quarter's first month, UTC, moved on by weeks in a blackout."""

    weekday: Annotated[int, Field(ge=0, le=6)] = 1  # 0 is Monday
    hour: Annotated[int, Field(ge=0, le=23)] = 6
    blackouts: tuple[Blackout, ...] = ()


class Tier(Document):
    """One row of a retention table: a backup at least so often, kept at least so long."""

    name: str
    every_hours: Annotated[float, Field(gt=0)]
    keep_hours: Annotated[float, Field(gt=0)]


class Deviation(Document):
    """A finding of the watch that somebody has accepted, until a day. It stays visible and is not alarmed."""

    check: str
    subject: str = "*"  # a role, a bucket, or * for all
    reason: Annotated[str, Field(min_length=10)]
    approved_by: Annotated[str, Field(min_length=1)]
    until: Day


# The recovery page's table: Kubernetes resources hourly/daily/weekly kept 48 h/7 d/30 d, observability data daily kept 3 d.
RESOURCE_TIERS = (
    Tier(name="hourly", every_hours=1, keep_hours=48),
    Tier(name="daily", every_hours=24, keep_hours=7 * 24),
    Tier(name="weekly", every_hours=7 * 24, keep_hours=30 * 24),
)
OBSERVABILITY_TIERS = (Tier(name="daily", every_hours=24, keep_hours=3 * 24),)


class Posture(Document):
    """What the hourly watch between drills expects, and where it writes its figures."""

    watched: bool = True
    tiers: dict[str, tuple[Tier, ...]] = {}  # by role; else the recovery page's table
    deviations: tuple[Deviation, ...] = ()
    backup_values: str = "backup"  # where the chart's backup settings are among its values, e.g. dalp.backup under a wrapper
    not_backed_up: tuple[str, ...] = ()  # "Kind/name", * allowed: made anew by something else after a loss
    wal_lag_seconds: Annotated[int, Field(gt=0)] = 900
    failures_within_hours: Annotated[float, Field(gt=0)] = 24
    drill_max_age_days: Annotated[int, Field(gt=0)] = 100
    claim_warning_days: Annotated[int, Field(ge=0)] = 30
    escrow_max_age_hours: Annotated[float, Field(gt=0)] = 7 * 24
    keep_days: Annotated[int, Field(gt=0)] = 90  # records of the watch in the evidence store
    textfile: str | None = None  # a file in the folder of node_exporter's textfile collector
    pushgateway: str | None = None  # connection id of a Prometheus Pushgateway
