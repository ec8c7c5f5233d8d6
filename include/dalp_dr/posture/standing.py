"""The posture as one document: every question with its answer, declared deviations, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from dalp_dr.model.check import FINDINGS_SHOWN, Check, CheckResult, Surface, Verdict, inconclusive, worst
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import DrillPlan, utc
from dalp_dr.model.record import Record
from dalp_dr.posture import checks
from dalp_dr.posture.calendar import at_or_after

SCHEMA_VERSION = 1
DRILLS = "drills"  # the subject of questions about drills and claims


@dataclass(frozen=True)
class Row:
    """One answered question. `accepted`: the reason of a deviation that covers its finding, None otherwise."""

    check: str
    subject: str
    surface: str
    question: str
    verdict: str
    expected: str
    observed: str
    findings: tuple[str, ...]
    next_step: str
    runbook: str
    accepted: str | None = None

    @property
    def counts(self) -> Verdict:
        """What the row adds to the whole: an accepted finding adds none."""
        return Verdict.PASS if self.accepted else Verdict(self.verdict)


def subjects(environment: Environment) -> dict[str, tuple[str, ...]]:
    """Record kind -> the subjects that every run must have a record of."""
    roles = tuple(n.role for n in environment.source.namespaces)
    buckets = tuple(b.name for b in environment.object_storage)
    database = (environment.database.cluster,)
    return {
        "database_protection": database,
        "wal_archive": database,
        "recoverable_window": database,
        "backup": roles,
        "resource_backups": roles,
        "coverage": roles,
        "bucket_protection": buckets,
        "configuration_history": (environment.configuration.branch,),
        "drill_history": (DRILLS,),
        **({"escrow_reading": ("escrow",)} if environment.escrow else {}),
    }


def judge(record: Record, plan: DrillPlan) -> tuple[tuple[Check, CheckResult], ...]:
    """What each check says of a record; without facts every one of them is inconclusive."""
    asked = checks.checks_of(record.kind)
    if record.facts is None:
        return tuple((c, inconclusive(c.question, record.error or "no facts")) for c in asked)
    facts = checks.KINDS[record.kind].decode(record.facts)
    return tuple((c, c.judge(facts, plan)) for c in asked)


def accepted(environment: Environment, check: str, subject: str, today: str) -> str | None:
    """The reason of the deviation that covers a finding today, None when there is none. `today`: yyyy-mm-dd or later parts."""
    for deviation in environment.posture.deviations:
        if deviation.check == check and deviation.subject in ("*", subject) and today[:10] <= deviation.until:
            return f"{deviation.reason} ({deviation.approved_by}, until {deviation.until})"
    return None


def rows(records: Iterable[Record], plan: DrillPlan) -> tuple[Row, ...]:
    """Every question of the watch; one without a record is inconclusive. Of several attempts the newest counts."""
    newest = {(r.kind, r.subject): r for r in sorted(records, key=lambda r: r.attempt)}
    found = []
    for kind, names in subjects(plan.environment).items():
        for subject in names:
            record = newest.get((kind, subject)) or _absent(kind, subject, plan)
            found += [_row(c, r, subject, plan) for c, r in judge(record, plan)]
    return tuple(found)


def _absent(kind: str, subject: str, plan: DrillPlan) -> Record:
    return Record(kind, subject, plan.drill_id, "", 0, plan.incident_time, None, "nothing was recorded: the task that asks did not finish")


def _row(check: Check, result: CheckResult, subject: str, plan: DrillPlan) -> Row:
    surface = check.surface.value if check.surface else "drill"
    if check.surface is Surface.KUBERNETES_RESOURCES and subject == plan.environment.observability.role:
        surface = Surface.OBSERVABILITY.value
    excuse = accepted(plan.environment, check.id, subject, plan.incident_time) if result.verdict is Verdict.FAIL else None
    shown = result.findings[:FINDINGS_SHOWN]
    return Row(
        check.id,
        subject,
        surface,
        check.question,
        result.verdict.value,
        result.expected,
        result.observed,
        shown,
        check.next_step,
        check.runbook,
        excuse,
    )


def verdict(found: Iterable[Row]) -> Verdict:
    """The worst of all rows that no deviation covers."""
    return worst(r.counts for r in found)


def document(found: tuple[Row, ...], plan: DrillPlan) -> dict[str, Any]:
    """The posture as plain JSON values."""
    environment, now = plan.environment, utc(plan.incident_time)
    return {
        "schema_version": SCHEMA_VERSION,
        "environment": environment.name,
        "posture_id": plan.drill_id,
        "at": plan.incident_time,
        "verdict": verdict(found).value,
        "next_drill": at_or_after(environment.calendar, now + timedelta(seconds=1)).isoformat(),
        "rows": [asdict(r) | {"findings": list(r.findings)} for r in found],
    }


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[str, ...]:
    """One sentence for each question whose answer is another than the time before, the worst first; `before` is None the first time."""
    old = {(r["check"], r["subject"]): _said(r) for r in (before or {}).get("rows") or ()}
    told = []
    for row in sorted(after["rows"], key=lambda r: -Verdict(r["verdict"]).rank):
        was, now = old.get((row["check"], row["subject"])), _said(row)
        if now != was and (was is not None or now != Verdict.PASS.value):
            told.append(f"{row['check']} ({row['subject']}) is {now}, was {was or 'not asked'}: {row['observed']}")
    return tuple(told)


def newly_red(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows that fail now, uncovered, and did not the time before: on-call is told once, not every hour."""
    old = {(r["check"], r["subject"]): _said(r) for r in (before or {}).get("rows") or ()}
    return [r for r in after["rows"] if _said(r) == Verdict.FAIL.value and old.get((r["check"], r["subject"])) != Verdict.FAIL.value]


def _said(row: Mapping[str, Any]) -> str:
    return "accepted" if row.get("accepted") else str(row["verdict"])
