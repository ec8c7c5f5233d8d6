"""Newest records that speak of something older than what is there now.

A check that was run again leaves the records of later stages as they were. Where it replaced what they looked at (a
restore, the recovered database), or what a figure was computed from, they prove nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from dalp_dr.dossier import Dossier
from dalp_dr.model.plan import utc
from dalp_dr.model.record import Record

TOLERANCE = timedelta(seconds=5)  # between the clocks of two workers

# kind -> kinds whose newest record must have been written before this one was begun; a kind of namespaces stands on the
# record of its own namespace
STANDS_ON: Mapping[str, tuple[str, ...]] = {
    "database_recovery_point": ("database_recovery",),
    "database_integrity": ("database_recovery",),
    "object_versions": ("database_recovery", "object_shard"),
    "namespace_inventory": ("restore_run",),
    "volumes": ("restore_run",),
    "configuration": ("restore_run",),
    "application_health": ("database_recovery", "restore_run"),
    "telemetry": ("restore_run",),
    "chain": ("database_recovery",),
    "reconciliation": ("database_recovery",),
    "in_flight": ("database_recovery",),
    "catch_up": ("application_health",),
    "user_journey": ("application_health", "catch_up"),
    "manual_changes": ("application_health",),
    "timing": (
        "database_recovery",
        "restore_run",
        "database_recovery_point",
        "object_versions",
        "configuration",
        "application_health",
        "chain",
        "reconciliation",
        "catch_up",
        "in_flight",
        "user_journey",
    ),
}
OF_NAMESPACES = ("restore_run", "namespace_inventory", "volumes")
BEFORE_START = (("reconciliation", "drill"), ("in_flight", "drill"))  # prove nothing once a restored service may have written


def outdated(dossier: Dossier) -> tuple[str, ...]:
    """One sentence for each newest record that was begun before the newest record it stands on was written, or that looked
    at the database at rest when it was so no more."""
    newest = {key: record for key, record in dossier.newest.items() if record.facts is not None}
    older = [
        f"{record.name} was begun before {ground.name} was written"
        for record in newest.values()
        for ground in _grounds(record, newest)
        if _before(record, ground)
    ]
    return (*older, *_too_late(dossier, newest))


def _too_late(dossier: Dossier, newest: Mapping[tuple[str, str], Record]) -> Iterator[str]:
    """Records about the database at rest that were made when services were running on that same database already."""
    recovery = newest.get(("database_recovery", "drill"))
    created = str((recovery.facts or {}).get("created_at") or "") if recovery else ""
    ran = [
        r for r in dossier.records if r.kind == "application_health" and any(p.get("service") for p in (r.facts or {}).get("pods") or ())
    ]
    for record in (newest[key] for key in BEFORE_START if key in newest):
        for health in ran:
            try:
                on_this_database = not created or utc(created) < utc(health.recorded_at)
                late = utc(record.recorded_at) > utc(health.began_at or health.recorded_at) + TOLERANCE
            except (ValueError, TypeError):
                continue
            if on_this_database and late:
                yield f"{record.name} was written after {health.name} saw services running on the database"
                break


def _grounds(record: Record, newest: Mapping[tuple[str, str], Record]) -> Iterator[Record]:
    for (kind, subject), ground in newest.items():
        if kind in STANDS_ON.get(record.kind, ()) and (record.kind not in OF_NAMESPACES or subject == record.subject):
            yield ground


def _before(record: Record, ground: Record) -> bool:
    try:
        return utc(record.began_at or record.recorded_at) + TOLERANCE < utc(ground.recorded_at)
    except (ValueError, TypeError):
        return False  # a time that cannot be read, or has no zone, is an impossible one and told as such
