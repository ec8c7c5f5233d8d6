"""The posture in Prometheus's text format, for a textfile collector or a Pushgateway.

Format: Prometheus exposition format 0.0.4. Times are Unix seconds; what is not known has no sample, so that `absent()` finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dalp_dr.model.check import Verdict
from dalp_dr.model.plan import DrillPlan, utc
from dalp_dr.model.record import Record
from dalp_dr.posture import checks
from dalp_dr.posture.standing import Row, verdict

HELP = {
    "dalp_dr_posture_check": "Answer to one question of the watch: 0 pass, 1 inconclusive, 2 fail.",
    "dalp_dr_posture_accepted": "1 where a finding is covered by a declared deviation.",
    "dalp_dr_posture_verdict": "The worst answer that no deviation covers: 0 pass, 1 inconclusive, 2 fail.",
    "dalp_dr_posture_last_run_timestamp_seconds": "When the watch last looked.",
    "dalp_dr_backup_last_completed_timestamp_seconds": "Completion of the newest complete backup of a namespace.",
    "dalp_dr_backup_failed": "Backups of a namespace that failed within the watched hours.",
    "dalp_dr_base_backup_timestamp_seconds": "End of the newest usable base backup.",
    "dalp_dr_wal_archived_timestamp_seconds": "Arrival of the newest usable WAL segment in the archive.",
    "dalp_dr_recoverable_window_start_timestamp_seconds": "Earliest moment the database can be recovered to.",
    "dalp_dr_last_drill_timestamp_seconds": "When the newest full drill was asked for.",
    "dalp_dr_last_drill_ready": "1 when the newest decided full drill is READY, else 0.",
    "dalp_dr_drill_due_timestamp_seconds": "The next slot of the drill calendar.",
    "dalp_dr_claim_publishable": "1 while RTO and RPO may be published, else 0.",
    "dalp_dr_claim_expiry_timestamp_seconds": "When the claim expires.",
}
Sample = tuple[str, dict[str, str], float]


def text(found: Iterable[Row], records: Iterable[Record], plan: DrillPlan) -> str:
    """All samples, grouped by name, each name with its help and type."""
    base = {"environment": plan.environment.name}
    samples = [(name, {**base, **labels}, value) for name, labels, value in _samples(tuple(found), tuple(records), plan)]
    lines = []
    for name, what in HELP.items():
        own = [s for s in samples if s[0] == name]
        lines += [f"# HELP {name} {what}", f"# TYPE {name} gauge"] if own else []
        lines += [f"{name}{{{_labels(labels)}}} {value:.15g}" for _, labels, value in own]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{k}="{_escaped(v)}"' for k, v in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _samples(found: tuple[Row, ...], records: tuple[Record, ...], plan: DrillPlan) -> Iterator[Sample]:
    for row in found:
        labels = {"check": row.check, "subject": row.subject, "surface": row.surface}
        yield "dalp_dr_posture_check", labels, Verdict(row.verdict).rank
        if row.accepted:
            yield "dalp_dr_posture_accepted", labels, 1
    yield "dalp_dr_posture_verdict", {}, verdict(found).rank
    yield "dalp_dr_posture_last_run_timestamp_seconds", {}, _seconds(plan.incident_time)
    for record in {(r.kind, r.subject): r for r in sorted(records, key=lambda r: r.attempt)}.values():
        if record.facts is not None and record.kind in _OF:
            yield from _OF[record.kind](checks.KINDS[record.kind].decode(record.facts))


def _seconds(moment: str) -> float:
    return round(utc(moment).timestamp(), 3)


def _resources(facts: Any) -> Iterator[Sample]:
    labels = {"role": facts.role, "namespace": facts.namespace}
    yield "dalp_dr_backup_failed", labels, len(facts.failed)
    if facts.newest_completed_at:
        yield "dalp_dr_backup_last_completed_timestamp_seconds", labels, _seconds(facts.newest_completed_at)


def _archive(facts: Any) -> Iterator[Sample]:
    if newest := max((c.backup.end_time for c in facts.chains if c.usable and c.backup.end_time), default=None):
        yield "dalp_dr_base_backup_timestamp_seconds", {}, _seconds(newest)
    if facts.newest_uploaded_at:
        yield "dalp_dr_wal_archived_timestamp_seconds", {}, _seconds(facts.newest_uploaded_at)


def _window(facts: Any) -> Iterator[Sample]:
    if facts.earliest:
        yield "dalp_dr_recoverable_window_start_timestamp_seconds", {}, _seconds(facts.earliest)


def _drills(facts: Any) -> Iterator[Sample]:
    yield "dalp_dr_drill_due_timestamp_seconds", {}, _seconds(facts.next_slot)
    yield "dalp_dr_claim_publishable", {}, int(facts.claim_publishable)
    if facts.claim_expires_at:
        yield "dalp_dr_claim_expiry_timestamp_seconds", {}, _seconds(facts.claim_expires_at)
    if facts.drills:
        yield "dalp_dr_last_drill_timestamp_seconds", {}, _seconds(facts.drills[0].asked_at)
    if decided := next((d for d in facts.drills if d.decision is not None), None):
        yield "dalp_dr_last_drill_ready", {}, int(decided.decision == "READY")


_OF = {"resource_backups": _resources, "wal_archive": _archive, "recoverable_window": _window, "drill_history": _drills}
