"""Measures a drill: marks and phases from its records, RTO, RTT and RPO from the marks.

The recovery clock starts when the drill was asked for and never moves. RTO ends at the first moment at which clients
might be routed back: services healthy on restored state *and* reconciled. RTT ends when everything is verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from dalp_dr.chain import reconciliation
from dalp_dr.configuration import rebuild
from dalp_dr.model.check import CheckResult, Stage, Surface, Verdict, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan, utc
from dalp_dr.model.record import Record
from dalp_dr.services import health

MEASURED_STAGES = tuple(Stage)[: tuple(Stage).index(Stage.MEASURE)]  # from plan to route_switch


@dataclass(frozen=True)
class Mark:
    """A moment, whose clock it is, and the record it was read from."""

    name: str
    at: str
    clock: str
    record: str


@dataclass(frozen=True)
class Phase:
    """One stage of the graph, from its first task's beginning to its last record."""

    name: str
    started_at: str
    ended_at: str
    seconds: float


@dataclass(frozen=True)
class RecoveredPoint:
    """To what moment a surface came back, and how old that is at the incident time; None where it is not known."""

    surface: str
    at: str | None
    rpo_seconds: float | None
    source: str


@dataclass(frozen=True)
class BusinessRpo:
    """Operations lost or in doubt, by count and value (smallest units, decimal text)."""

    operations_lost: int
    operations_doubtful: int
    value_lost: str


@dataclass(frozen=True)
class TimingFacts:
    """Seconds since the drill was asked for; None where the mark does not exist, which is never a met target."""

    asked_at: str
    incident_time: str
    rto_seconds: float | None
    rtt_seconds: float | None
    rpo_seconds: float | None
    rpo_by_surface: dict[str, float | None]
    database_recovered_seconds: float | None
    services_healthy_seconds: float | None
    marks: tuple[Mark, ...]
    phases: tuple[Phase, ...]
    recovered_points: tuple[RecoveredPoint, ...]
    recovery_point_skew_seconds: float | None
    business_rpo: BusinessRpo | None
    wal_segments_replayed: int | None
    orders_broken: tuple[str, ...]


def measure(plan: DrillPlan, records: Iterable[Record]) -> TimingFacts:
    """Only the newest attempt of each (kind, subject) counts; a record's stage is the first part of its task's id."""
    newest: dict[tuple[str, str], Record] = {}
    for record in records:
        key = (record.kind, record.subject)
        if key not in newest or record.attempt >= newest[key].attempt:
            newest[key] = record
    facts = {key: r.facts for key, r in newest.items() if r.facts is not None}
    marks = tuple(_marks(plan, newest, facts))
    at = {m.name: m.at for m in marks}
    points = tuple(_points(plan, facts))
    by_surface = {p.surface: p.rpo_seconds for p in points}
    known = [v for v in by_surface.values() if v is not None]
    healthy, reconciled = at.get("services_healthy"), at.get("reconciled")
    verified = [r.recorded_at for r in newest.values() if _stage(r) in MEASURED_STAGES]
    complete = healthy is not None and reconciled is not None
    times = [utc(p.at) for p in points if p.at is not None]
    return TimingFacts(
        asked_at=plan.asked_at,
        incident_time=plan.incident_time,
        rto_seconds=_since(plan, max(healthy, reconciled, key=utc)) if healthy and reconciled else None,
        rtt_seconds=_since(plan, max(verified, key=utc)) if complete and verified else None,
        rpo_seconds=max(known) if known and len(known) == len(points) else None,
        rpo_by_surface=by_surface,
        database_recovered_seconds=_since(plan, at.get("database_recovered")),
        services_healthy_seconds=_since(plan, healthy),
        marks=marks,
        phases=tuple(_phases(newest.values())),
        recovered_points=points,
        recovery_point_skew_seconds=(max(times) - min(times)).total_seconds() if len(times) > 1 else None,
        business_rpo=_business(facts.get(("in_flight", "drill"))),
        wal_segments_replayed=plan.database.replay_segments if plan.database else None,
        orders_broken=tuple(_broken_orders(plan, at, newest.values())),
    )


def figures(plan: DrillPlan, records: Iterable[Record]) -> dict[str, Any]:
    """What a drill is judged and quoted by, from its records alone."""
    anew = measure(plan, records)
    names = ("rto_seconds", "rtt_seconds", "rpo_seconds", "rpo_by_surface", "services_healthy_seconds", "business_rpo", "orders_broken")
    return {name: getattr(anew, name) for name in names}


def _since(plan: DrillPlan, moment: str | None) -> float | None:
    return None if moment is None else round((utc(moment) - utc(plan.asked_at)).total_seconds(), 3)


def _marks(plan: DrillPlan, newest: Mapping[tuple[str, str], Record], facts: Mapping[tuple[str, str], dict[str, Any]]) -> Iterable[Mark]:
    recovery = facts.get(("database_recovery", "drill"), {})
    if recovery.get("created_at"):
        yield Mark("database_recovery_started", recovery["created_at"], "Kubernetes API server", "database_recovery")
    if recovery.get("healthy_at"):
        yield Mark("database_recovered", recovery["healthy_at"], "Kubernetes API server", "database_recovery")
    for (kind, subject), fact in sorted(facts.items()):
        if kind == "restore_run":
            for name, field in (("restore_started", "started_at"), ("restore_completed", "completed_at")):
                if fact.get(field):
                    yield Mark(f"{name}:{subject}", fact[field], "Velero server", f"restore_run--{subject}")
    polled = facts.get(("application_health", "drill"))
    healthy_at = health.healthy_at(plan, msgspec.convert(polled, health.ApplicationHealth).polls) if polled else None
    if healthy_at:
        yield Mark("services_healthy", healthy_at, "drill worker", "application_health")
    switch = facts.get(("route_switch", "drill"), {})
    for name, field in (("route_switched", "switched_at"), ("route_back", "back_at")):
        if switch.get(field):
            yield Mark(name, switch[field], "drill worker", "route_switch")
    at_rest, caught_up = facts.get(("reconciliation", "drill")), facts.get(("catch_up", "drill"))
    if at_rest and caught_up and _reconciles(at_rest, caught_up, plan):
        compared = [record for (kind, _), record in newest.items() if kind in ("reconciliation", "catch_up", "chain", "in_flight")]
        last = max(compared, key=lambda r: utc(r.recorded_at))
        yield Mark("reconciled", last.recorded_at, "drill worker", last.kind)


def _reconciles(at_rest: dict[str, Any], caught_up: dict[str, Any], plan: DrillPlan) -> bool:
    """Clients are not routed back to records that differ from the chain, nor to an index that went wrong when it went on."""
    before, after = (msgspec.convert(facts, reconciliation.Reconciliation) for facts in (at_rest, caught_up))
    results = (
        reconciliation.judge_index(before, plan),
        reconciliation.judge_database(before, plan),
        reconciliation.judge_index(after, plan),
    )
    return all(result.verdict is Verdict.PASS for result in results)


def _is_in_git(facts: rebuild.Configuration, plan: DrillPlan) -> bool:
    """Nothing of the configuration is lost only where Git has all that is installed; else nobody knows since when it has not.

    A lost production cannot show what was installed: there what its backups brought back must be what Git has.
    """
    judge = rebuild.configuration_rebuilt if plan.source_lost else rebuild.release_values_match_git
    return plan.configuration is not None and judge(facts, plan).verdict is Verdict.PASS


def _points(plan: DrillPlan, facts: Mapping[tuple[str, str], dict[str, Any]]) -> Iterable[RecoveredPoint]:
    def point(surface: Surface, at: str | None, source: str) -> RecoveredPoint:
        rpo = None if at is None else max(0.0, (utc(plan.incident_time) - utc(at)).total_seconds())
        return RecoveredPoint(surface.value, at, rpo, source)

    if Surface.DATABASE in plan.surfaces:
        recovered = facts.get(("database_recovery_point", "drill"), {})
        yield point(
            Surface.DATABASE, recovered.get("newest_commit") or recovered.get("heartbeat_at"), "newest commit in the restored database"
        )
    for surface, roles in (
        (Surface.KUBERNETES_RESOURCES, [r for r in plan.covered_roles if r != plan.environment.observability.role]),
        (Surface.OBSERVABILITY, [plan.environment.observability.role]),
    ):
        if surface in plan.surfaces:
            restored = [plan.backup(r).started_at for r in roles if facts.get(("restore_run", r), {}).get("phase") == "Completed"]
            yield point(
                surface,
                min(restored, key=utc) if restored and len(restored) == len(roles) else None,
                "start of the oldest Velero backup used",
            )
    if Surface.OBJECT_STORAGE in plan.surfaces:
        read_at = [facts.get(("object_versions", bucket.name), {}).get("at") for bucket in plan.environment.object_storage]
        known = [str(at) for at in read_at if at]
        yield point(
            Surface.OBJECT_STORAGE,
            min(known, key=utc) if known and len(known) == len(read_at) else None,
            "objects that rows of the restored database name, as of this time",
        )
    if Surface.CONFIGURATION in plan.surfaces:
        found = facts.get(("configuration", "drill"))
        same = found is not None and _is_in_git(msgspec.convert(found, rebuild.Configuration), plan)
        yield point(Surface.CONFIGURATION, plan.incident_time if same else None, "the installed releases are what Git has")


def _stage(record: Record) -> Stage | None:
    name = record.task_id.partition(".")[0]
    return Stage(name) if name in {s.value for s in Stage} else None


def _phases(records: Iterable[Record]) -> Iterable[Phase]:
    spans: dict[Stage, list[datetime]] = {}
    for record in records:
        stage = _stage(record)
        if stage is not None:
            spans.setdefault(stage, []).extend([utc(record.began_at or record.recorded_at), utc(record.recorded_at)])
    for stage in Stage:
        if stage in spans:
            start, end = min(spans[stage]), max(spans[stage])
            yield Phase(stage.value, start.isoformat(), end.isoformat(), round((end - start).total_seconds(), 3))


def _business(in_flight: dict[str, Any] | None) -> BusinessRpo | None:
    if in_flight is None:
        return None
    return BusinessRpo(int(in_flight["operations_lost"]), int(in_flight["operations_doubtful"]), str(in_flight["value_lost"]))


def _broken_orders(plan: DrillPlan, at: Mapping[str, str], records: Iterable[Record]) -> Iterable[str]:
    """Impossible orders. A second is allowed between two clocks, since Kubernetes and Velero write whole seconds."""

    def before(first: str | None, second: str | None, text: str) -> Iterable[str]:
        if first and second and (utc(first) - utc(second)).total_seconds() > 1.0:
            yield f"{text}: {first} is after {second}"

    yield from before(plan.incident_time, plan.asked_at, "the incident must not be later than the drill")
    yield from before(at.get("database_recovery_started"), at.get("database_recovered"), "recovery ends before it starts")
    yield from before(at.get("database_recovered"), at.get("services_healthy"), "services healthy before their database")
    for name, moment in at.items():
        yield from before(plan.asked_at, moment, f"{name} happened before the drill was asked for")
        if name.startswith("restore_started:"):
            yield from before(moment, at.get(name.replace("started", "completed")), f"{name} ends before it starts")
    for point in (*plan.backups,):
        yield from before(point.completed_at, plan.incident_time, f"backup {point.backup} is younger than the incident")
    if plan.database:
        yield from before(plan.database.target_time, plan.incident_time, "recovery target is younger than the incident")
    for record in records:
        yield from before(record.began_at or None, record.recorded_at, f"record {record.name} ends before it begins")


def judge_rto(facts: TimingFacts, plan: DrillPlan) -> CheckResult:
    return _met("RTO", facts.rto_seconds, plan.environment.targets.rto_seconds)


def judge_rtt(facts: TimingFacts, plan: DrillPlan) -> CheckResult:
    return _met("RTT", facts.rtt_seconds, plan.environment.targets.rtt_seconds)


def _met(name: str, seconds: float | None, target: int) -> CheckResult:
    expected = f"{name} at most {target} s"
    if seconds is None:
        return inconclusive(expected, "not measured: the drill did not get that far")
    return expect(seconds <= target, expected, f"{seconds:.0f} s")


def judge_rpo(facts: TimingFacts, plan: DrillPlan) -> CheckResult:
    """Missed when any surface misses its own target; unknown when any is unknown."""
    targets: dict[str, int] = {surface: seconds for surface, seconds in plan.environment.targets.rpo_seconds.items()}
    expected = ", ".join(f"{s.value} {targets[s.value]} s" for s in plan.surfaces)
    seen = ", ".join(f"{p.surface} {'unknown' if p.rpo_seconds is None else f'{p.rpo_seconds:.0f} s'}" for p in facts.recovered_points)
    missed = [
        f"{p.surface}: {p.rpo_seconds:.0f} s, target {targets[p.surface]} s"
        for p in facts.recovered_points
        if p.rpo_seconds is not None and p.rpo_seconds > targets[p.surface]
    ]
    if missed:
        return failed(expected, seen, missed)
    unknown = sorted({s.value for s in plan.surfaces} - {p.surface for p in facts.recovered_points if p.rpo_seconds is not None})
    if unknown:
        return inconclusive(expected, seen, (f"{u}: its recovered point is not known" for u in unknown))
    return expect(bool(facts.recovered_points), expected, seen)


def judge_order(facts: TimingFacts, plan: DrillPlan) -> CheckResult:
    return expect(
        not facts.orders_broken, "every moment in a possible order", f"{len(facts.orders_broken)} impossible", facts.orders_broken
    )
