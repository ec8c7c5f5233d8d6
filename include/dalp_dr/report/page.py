"""What a report shows, worked out from a verified bundle: nothing here is taken from what the bundle says about
itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.decide import Decision, OutcomeKind, Proposal, Reason
from dalp_dr.dossier import Dossier, Outcome
from dalp_dr.evidence.verify import Verification
from dalp_dr.model.check import FINDINGS_SHOWN, Stage, Surface, Verdict, worst
from dalp_dr.model.plan import DrillPlan, utc
from dalp_dr.report.facts import in_words
from dalp_dr.report.split import Step, steps
from dalp_dr.text import moment, seconds, visible

NOT_RUN_SHOWN = 3
SURFACE_NAMES = {
    Surface.DATABASE: "Database",
    Surface.KUBERNETES_RESOURCES: "Kubernetes resources",
    Surface.OBJECT_STORAGE: "Object storage",
    Surface.OBSERVABILITY: "Observability data",
    Surface.CONFIGURATION: "Configuration",
}


@dataclass(frozen=True)
class TargetRow:
    """One target against what was achieved; `met` is None where nothing was measured, which is not met."""

    name: str
    target: str
    achieved: str
    met: bool | None


@dataclass(frozen=True)
class Bar:
    """A stretch of the timeline in seconds since the drill was asked for. `depth` 1 is a branch inside a phase."""

    name: str
    start_seconds: float
    end_seconds: float
    critical: bool
    depth: int = 0
    waiting: bool = False


@dataclass(frozen=True)
class Point:
    """The recovered point of one surface: seconds before the incident time, and its target."""

    surface: str
    age_seconds: float | None
    target_seconds: float


@dataclass(frozen=True)
class EvidenceRow:
    """One of the seven rows: what each of its records says, and what is missing."""

    title: str
    verdict: Verdict
    entries: tuple[tuple[str, str], ...]  # (subject, facts in words)
    missing: tuple[str, ...]


@dataclass(frozen=True)
class CheckRow:
    """One answer in words."""

    check: str
    subject: str
    question: str
    surface: str
    verdict: Verdict
    expected: str
    observed: str
    next_step: str
    runbook: str
    findings: tuple[str, ...]
    attempts: int


@dataclass(frozen=True)
class View:
    """Everything both forms of the report show, as text that is safe to look at."""

    headline: str
    sentence: str
    good: bool
    facts: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    targets: tuple[TargetRow, ...]
    bars: tuple[Bar, ...]
    steps: tuple[Step, ...]
    waiting_seconds: float | None
    points: tuple[Point, ...]
    rows: tuple[EvidenceRow, ...]
    reasons: tuple[CheckRow, ...]
    checks: tuple[tuple[str, tuple[CheckRow, ...]], ...]  # by stage
    trend: tuple[tuple[str, float, bool], ...]  # (drill id, RTO in seconds, READY)
    rto_target_seconds: float
    provenance: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    dated: str | None = None  # when it was sealed


def of(result: Verification, earlier: Iterable[Mapping[str, Any]] = ()) -> View:
    """The view of a verified bundle; `earlier` are summaries of drills before it. Raises ValueError without a
    readable plan.
    """
    dossier, proposal = result.dossier, result.proposal
    if dossier is None or proposal is None:
        raise ValueError("a bundle without a readable plan has no report")
    headline, sentence, good = _headline(result, proposal)
    bars, waiting = _bars(dossier, result)
    timing = _timing(dossier)
    outcomes = dossier.outcomes()
    return View(
        headline=headline,
        sentence=sentence,
        good=good,
        facts=_facts(dossier.plan, result),
        problems=tuple(visible(p) for p in result.problems),
        targets=_targets(dossier.plan, timing),
        bars=bars,
        steps=steps(dossier),
        waiting_seconds=waiting,
        points=_points(dossier.plan, timing),
        rows=_rows(dossier),
        reasons=_reasons(proposal),
        checks=_checks(dossier, outcomes),
        trend=_trend(dossier.plan, timing, result, earlier),
        rto_target_seconds=float(dossier.plan.environment.targets.rto_seconds),
        provenance=_provenance(dossier, result),
        notes=tuple(visible(n) for n in result.notes),
        dated=result.sealed_at,
    )


def _timing(dossier: Dossier) -> Mapping[str, Any]:
    record = dossier.record("timing")
    return (record.facts or {}) if record else {}


def _headline(result: Verification, proposal: Proposal) -> tuple[str, str, bool]:
    """The decision in one word and in one sentence."""
    if result.problems:
        return (
            "NOT INTACT",
            f"The evidence cannot be believed: {len(result.problems)} problems were found in it.",
            False,
        )
    if result.decision is Decision.READY:
        by = visible(result.sign_off.signer) if result.sign_off else "an owner"
        return "READY", f"Restored, running, reconciled and in time; signed off by {by}.", True
    if proposal.decision is Decision.READY:
        return (
            "FIX",
            f"Everything passes, but the drill is not READY: {result.sign_off_problem or 'no final decision yet'}.",
            False,
        )
    count = len(proposal.reasons)
    word = {
        OutcomeKind.REFUSED: "The drill was refused before anything was restored",
        OutcomeKind.ABORTED: "The drill was given up",
    }.get(proposal.outcome_kind, "This environment is not proven recoverable")
    failed = sum(r.verdict is Verdict.FAIL for r in proposal.reasons)
    return "FIX", f"{word}: {failed} failed, {count - failed} not known.", False


def _facts(plan: DrillPlan, result: Verification) -> tuple[tuple[str, str], ...]:
    pairs = (
        ("Environment", plan.environment.name),
        ("Drill", plan.drill_id),
        ("Attempt", result.attempt),
        ("Workflow", f"{plan.dag_id}, run {plan.run_id}"),
        ("Asked for", f"{moment(plan.asked_at)} by {plan.started_by}"),
        ("Incident time", f"{moment(plan.incident_time)} (policy {plan.policy})"),
        ("Surfaces", "all five" if plan.full else ", ".join(s.value for s in plan.surfaces)),
        (
            "Targets",
            f"version {plan.environment.targets.version}, approved by {plan.environment.targets.approved_by} "
            f"on {plan.environment.targets.approved_on}",
        ),
    )
    return tuple((name, visible(value)) for name, value in pairs)


def _targets(plan: DrillPlan, timing: Mapping[str, Any]) -> tuple[TargetRow, ...]:
    targets, by_surface = plan.environment.targets, timing.get("rpo_by_surface") or {}

    def row(name: str, target: float, achieved: float | None) -> TargetRow:
        return TargetRow(name, f"at most {seconds(target)}", seconds(achieved), None if achieved is None else achieved <= target)

    rows = [
        row("RTO: services healthy and reconciled", targets.rto_seconds, timing.get("rto_seconds")),
        row(
            f"RTT: everything verified{', the route switched' if plan.route_switch else ''}", targets.rtt_seconds, timing.get("rtt_seconds")
        ),
    ]
    for surface in plan.surfaces:
        rows.append(
            row(
                f"RPO {SURFACE_NAMES[surface].lower()}",
                targets.rpo_seconds[surface.value],
                by_surface.get(surface.value),
            )
        )
    return tuple(rows)


def _bars(dossier: Dossier, result: Verification) -> tuple[tuple[Bar, ...], float | None]:
    """Phases with the branches inside them, and the time people were waited for."""
    asked, timing = utc(dossier.plan.asked_at), _timing(dossier)

    def since(moment: str) -> float:
        return (utc(moment) - asked).total_seconds()

    phases = sorted(
        ((visible(p["name"]), since(p["started_at"]), since(p["started_at"]) + float(p["seconds"])) for p in timing.get("phases") or ()),
        key=lambda p: (p[1], p[2]),
    )
    critical = critical_path(phases)
    marks = {m["name"]: since(m["at"]) for m in timing.get("marks") or ()}
    branches = sorted(
        (visible(name.replace("_started", "").replace(":", " ")), at, marks[end])
        for name, at in marks.items()
        if (end := _end_of(name)) in marks
    )
    longest = max((b[2] for b in branches), default=None)
    bars = [Bar(*phase, phase in critical) for phase in phases]
    place = next((i + 1 for i, bar in enumerate(bars) if bar.name == Stage.RESTORE.value), len(bars))
    bars[place:place] = [Bar(*branch, branch[2] == longest, 1) for branch in branches]
    if result.sealed_at and result.sign_off:
        sealed, signed = since(result.sealed_at), since(result.sign_off.signed_at)
        return (*bars, Bar("waiting for the owner", sealed, signed, False, 0, True)), signed - sealed
    return tuple(bars), None


def _end_of(mark: str) -> str:
    """The mark that ends the branch which `mark` begins; an empty name when it begins none."""
    if mark == "database_recovery_started":
        return "database_recovered"
    return mark.replace("_started", "_completed") if "_started" in mark else ""


def critical_path(spans: Iterable[tuple[str, float, float]]) -> tuple[tuple[str, float, float], ...]:
    """The spans that decided the end: from the last backwards, each time the one that ended last before it began."""
    left = list(spans)
    path: list[tuple[str, float, float]] = []
    current = max(left, key=lambda s: s[2], default=None)
    while current is not None:
        path.insert(0, current)
        left = [s for s in left if s not in path and s[1] < current[1]]
        current = max(left, key=lambda s: s[2], default=None)
    return tuple(path)


def _points(plan: DrillPlan, timing: Mapping[str, Any]) -> tuple[Point, ...]:
    ages, targets = timing.get("rpo_by_surface") or {}, plan.environment.targets.rpo_seconds
    return tuple(Point(SURFACE_NAMES[s], ages.get(s.value), float(targets[s.value])) for s in plan.surfaces)


def _rows(dossier: Dossier) -> tuple[EvidenceRow, ...]:
    found = []
    for row in dossier.seed_rows():
        kinds = {k.name for k in dossier.known_kinds.values() if k.seed_row == row.title}
        verdict = worst(o.result.verdict for o in dossier.outcomes() if o.check.kind in kinds)
        entries = tuple((visible(r.subject), in_words(r.kind, r.facts or {})) for r in row.records)
        found.append(
            EvidenceRow(
                row.title,
                Verdict.INCONCLUSIVE if row.missing and verdict is Verdict.PASS else verdict,
                entries,
                tuple(visible(m) for m in row.missing),
            )
        )
    return tuple(found)


def _reasons(proposal: Proposal) -> tuple[CheckRow, ...]:
    """Every reason; checks that were never reached stand together when there are many, so that the causes are seen."""
    absent = [r for r in proposal.reasons if not r.ran]
    if len(absent) <= NOT_RUN_SHOWN:
        return tuple(map(_reason, proposal.reasons))
    together = Reason(
        check="not run",
        subject="drill",
        surface=None,
        verdict=Verdict.INCONCLUSIVE,
        expected="an answer from every check",
        observed=f"{len(absent)} checks were never reached",
        next_step="Repair the causes above first; these are asked again in the next drill.",
        runbook="decision.md#run-finished",
        findings=tuple(f"{r.check} ({r.subject})" for r in absent),
    )
    return tuple(map(_reason, [*(r for r in proposal.reasons if r.ran), together]))


def _reason(reason: Reason) -> CheckRow:
    return CheckRow(
        check=visible(reason.check),
        subject=visible(reason.subject),
        question="",
        surface=_surface(reason.surface),
        verdict=reason.verdict,
        expected=visible(reason.expected),
        observed=visible(reason.observed),
        next_step=visible(reason.next_step),
        runbook=visible(reason.runbook),
        findings=tuple(visible(f) for f in reason.findings),
        attempts=1,
    )


def _surface(value: str | None) -> str:
    return SURFACE_NAMES[Surface(value)] if value else "The drill itself"


def _checks(dossier: Dossier, outcomes: Iterable[Outcome]) -> tuple[tuple[str, tuple[CheckRow, ...]], ...]:
    by_stage: dict[Stage, list[CheckRow]] = {}
    for outcome in outcomes:
        check, result = outcome.check, outcome.result
        by_stage.setdefault(check.stage, []).append(
            CheckRow(
                visible(check.id),
                visible(outcome.subject),
                visible(check.question),
                _surface(check.surface),
                result.verdict,
                visible(result.expected),
                visible(result.observed),
                visible(check.next_step),
                visible(check.runbook),
                tuple(visible(f) for f in result.findings[:FINDINGS_SHOWN]),
                len(dossier.attempts(check.kind, outcome.subject)),
            )
        )
    return tuple((stage.value, tuple(by_stage[stage])) for stage in Stage if stage in by_stage)


def _trend(
    plan: DrillPlan, timing: Mapping[str, Any], result: Verification, earlier: Iterable[Mapping[str, Any]]
) -> tuple[tuple[str, float, bool], ...]:
    """Achieved RTO of the drills of this environment, oldest first, this one last."""
    before = sorted(
        (str(s.get("started_at")), str(s.get("drill_id")), float(s["rto_seconds"]), s.get("decision") == "READY")
        for s in earlier
        if s.get("rto_seconds") is not None
        and s.get("environment") == plan.environment.name
        and s.get("drill_id") != plan.drill_id
        and str(s.get("started_at")) < plan.asked_at
    )
    own = timing.get("rto_seconds")
    now = [] if own is None else [(plan.asked_at, plan.drill_id, float(own), result.decision is Decision.READY)]
    return tuple((visible(drill), rto, ready) for _, drill, rto, ready in [*before, *now][-12:])


def _provenance(dossier: Dossier, result: Verification) -> tuple[tuple[str, str], ...]:
    record = dossier.record("provenance")
    facts: Mapping[str, Any] = (record.facts or {}) if record else {}
    versions = facts.get("versions") or {}
    pairs = [
        ("Bundle (sha256 of the manifest)", result.bundle_sha256),
        ("Signed by key", result.key_id or "not signed"),
        ("Sealed at", f"{moment(result.sealed_at) if result.sealed_at else 'not sealed'} (clock not attested)"),
        ("Configuration commit", dossier.plan.configuration.commit if dossier.plan.configuration else "none"),
        (
            "Project commit",
            f"{facts['commit']}{' with uncommitted changes' if facts.get('dirty') else ''}" if facts.get("commit") else "not recorded",
        ),
        ("Project code (sha256)", facts.get("code_sha256") or "not recorded"),
        ("Why it was started", facts.get("reason") or "no reason given"),
        *((f"Image {i['name']}", f"{i['digest'] or 'no digest'}, {i['containers']} containers") for i in _images(dossier)),
        *((f"Version of {name}", value) for name, value in sorted(versions.items())),
    ]
    return tuple((visible(name), visible(value)) for name, value in pairs)


def _images(dossier: Dossier) -> Iterable[Mapping[str, Any]]:
    record = dossier.record("software")
    return (record.facts or {}).get("images") or () if record else ()
