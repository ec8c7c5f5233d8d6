"""Impossible orders of time in a drill's plan and records; evidence that contains one is not believed.

Clocks differ: times of a plan come from the worker, the object store, Velero and Git. CLOCK_TOLERANCE_SECONDS of skew
are allowed between two clocks; more is an impossible order.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from dalp_dr.dossier import Dossier
from dalp_dr.model.plan import DrillPlan, utc

CLOCK_TOLERANCE_SECONDS = 5


def impossible_times(dossier: Dossier) -> tuple[str, ...]:
    """One sentence for each impossible order; a time that cannot be read is one too."""
    return tuple(sentence for earlier, later, a, b in _orders(dossier) if (sentence := _broken(earlier, later, a, b)))


def _orders(dossier: Dossier) -> Iterator[tuple[str, str, str, str]]:
    """(name of the earlier, name of the later, earlier time, later time)."""
    plan = dossier.plan
    yield from _plan_orders(plan)
    for record in dossier.records:
        yield "the drill was asked for", f"record {record.name}", plan.asked_at, record.recorded_at
    for key in dossier.newest:
        attempts = dossier.attempts(*key)
        for before, after in pairwise(attempts):
            yield f"record {before.name}", f"record {after.name}", before.recorded_at, after.recorded_at
    timing = dossier.record("timing")
    for phase in (timing.facts or {}).get("phases") or () if timing else ():
        if phase.get("started_at"):
            yield "the drill was asked for", f"phase {phase.get('name')}", plan.asked_at, phase["started_at"]


def _plan_orders(plan: DrillPlan) -> Iterator[tuple[str, str, str, str]]:
    incident = plan.incident_time
    yield "incident time", "the drill was asked for", incident, plan.asked_at
    if plan.database:
        point = plan.database
        yield "start of the recoverable window", "database target", point.window.earliest, point.target_time
        yield "database target", "end of the recoverable window", point.target_time, point.window.latest
        yield "database target", "incident time", point.target_time, incident
        yield "end of base backup", "database target", point.backup_end, point.target_time
    for backup in plan.backups:
        yield f"start of backup {backup.backup}", f"its end ({backup.role})", backup.started_at, backup.completed_at
        yield f"end of backup {backup.backup}", "incident time", backup.completed_at, incident
    yield "object version time", "incident time", plan.objects.at, incident
    if plan.configuration:
        yield "configuration commit", "incident time", plan.configuration.committed_at, incident


def _broken(earlier: str, later: str, a: str, b: str) -> str | None:
    first, second = _time(a), _time(b)
    if first is None or second is None:
        return f"{earlier if first is None else later}: {a if first is None else b!r} is not a time with a zone"
    if first > second + timedelta(seconds=CLOCK_TOLERANCE_SECONDS):
        return f"{earlier} ({a}) is after {later} ({b})"
    return None


def _time(value: str) -> datetime | None:
    try:
        moment = utc(value)
    except (ValueError, AttributeError, TypeError):
        return None
    return moment if moment.tzinfo else None
