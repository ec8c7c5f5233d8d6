"""From answers to a decision: READY or FIX, with every reason.

`propose` looks at records only, never at task states, and is called again by `dalp_dr verify`. `final` adds the owner's
sign-off; nothing but an owner's valid approval of this very bundle turns a proposal into READY.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from dalp_dr.dossier import Dossier, Outcome
from dalp_dr.model.check import FINDINGS_SHOWN, Stage, Surface, Verdict, worst
from dalp_dr.model.plan import DrillPlan
from dalp_dr.plausibility import impossible_times
from dalp_dr.succession import outdated


class Decision(StrEnum):
    READY = "READY"
    FIX = "FIX"


class OutcomeKind(StrEnum):
    """How the run ended: in full, refused before anything was written, or aborted on the way."""

    NORMAL = "normal"
    REFUSED = "refused"
    ABORTED = "aborted"


@dataclass(frozen=True)
class Reason:
    """One thing that stands between this drill and READY. `findings` is capped; the records hold all of them."""

    check: str
    subject: str
    surface: str | None
    verdict: Verdict
    expected: str
    observed: str
    next_step: str
    runbook: str
    findings: tuple[str, ...] = ()
    ran: bool = True

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": self.verdict.value, "findings": list(self.findings)}


@dataclass(frozen=True)
class Proposal:
    """What the records alone allow. `verdict` is the worst of all answers; the decision also asks for scope and
    completeness.
    """

    decision: Decision
    verdict: Verdict
    reasons: tuple[Reason, ...]
    outcome_kind: OutcomeKind


@dataclass(frozen=True)
class SignOff:
    """An answer of a person about one sealed bundle.

    `method`: `airflow_account` (the account of Airflow's identity provider) or `owner_key` (signed with the owner's own
    key, which is stronger). `answered` is False when the deadline passed and a default stands in the answer's place.
    `signer` is the id that the identity provider gives, `signer_name` the name it gives: a run knows its starter by name.
    """

    drill_id: str
    bundle_sha256: str
    signer: str
    approved: bool
    reason: str
    signed_at: str
    method: str
    role: str
    answered: bool = True
    played_by_lab: bool = False
    signer_name: str = ""


@dataclass(frozen=True)
class Final:
    """The decision after the sign-off, and why it is not READY where the sign-off is the cause."""

    decision: Decision
    sign_off_problem: str | None


def propose(dossier: Dossier, aborted: str | None = None, missing_captures: Iterable[str] = ()) -> Proposal:
    """READY only if the drill is full, every required check passes, all seven rows have facts and no time is
    impossible.

    `aborted` says why the run was given up, if it was; `missing_captures` which cited raw answers were not kept. Both
    can only make the decision worse.
    """
    outcomes = dossier.outcomes()
    broken = [_reason(outcome) for outcome in outcomes if outcome.result.verdict is not Verdict.PASS]
    scope, gaps = _scope(dossier.plan), [*_gaps(dossier), *_aborted(aborted), *_captures(tuple(missing_captures))]
    verdict = worst([o.result.verdict for o in outcomes] + [r.verdict for r in gaps])
    reasons = sorted([*broken, *gaps], key=lambda r: (-r.verdict.rank, not r.ran)) + scope
    if verdict is not Verdict.PASS and not reasons:
        reasons = [
            _own(
                "checks_answered",
                Verdict.INCONCLUSIVE,
                "at least one required check",
                "none is required",
                "Report this: the catalogue of checks is empty.",
                "no-checks",
            )
        ]
    ready = verdict is Verdict.PASS and not reasons
    return Proposal(Decision.READY if ready else Decision.FIX, verdict, tuple(reasons), _outcome_kind(dossier, aborted))


def _reason(outcome: Outcome) -> Reason:
    check, result = outcome.check, outcome.result
    shown = result.findings[:FINDINGS_SHOWN]
    if len(result.findings) > FINDINGS_SHOWN:
        shown += (f"... and {len(result.findings) - FINDINGS_SHOWN} more in {outcome.record_name}",)
    return Reason(
        check.id,
        outcome.subject,
        check.surface.value if check.surface else None,
        result.verdict,
        result.expected,
        result.observed,
        check.next_step,
        check.runbook,
        shown,
        outcome.ran,
    )


def _own(
    check: str,
    verdict: Verdict,
    expected: str,
    observed: str,
    next_step: str,
    section: str,
    findings: Iterable[str] = (),
) -> Reason:
    """A reason of the decision itself."""
    return Reason(check, "drill", None, verdict, expected, observed, next_step, f"decision.md#{section}", tuple(findings))


def _scope(plan: DrillPlan) -> list[Reason]:
    missing = [s.value for s in Surface if s not in plan.surfaces]
    if not missing and plan.full:
        return []
    return [
        _own(
            "all_surfaces_covered",
            Verdict.INCONCLUSIVE,
            "a drill over all five surfaces",
            f"without {', '.join(missing)}" if missing else "planned as a check of single surfaces",
            "Run the quarterly drill; a check of single surfaces cannot be READY.",
            "all-surfaces-covered",
            missing,
        )
    ]


def _gaps(dossier: Dossier) -> list[Reason]:
    found = []
    plan = dossier.plan
    rows = [row for row in dossier.seed_rows() if row.missing]
    if rows and plan.full:
        found.append(
            _own(
                "evidence_complete",
                Verdict.INCONCLUSIVE,
                "facts in all seven evidence records",
                f"{len(rows)} without: {', '.join(row.title for row in rows)}",
                "Clear the tasks that write these records.",
                "evidence-complete",
                [f"{row.title}: {name}" for row in rows for name in row.missing],
            )
        )
    if sentences := impossible_times(dossier):
        found.append(
            _own(
                "times_plausible",
                Verdict.FAIL,
                "times in a possible order",
                f"{len(sentences)} impossible",
                "Compare the clocks of worker, object store and cluster; then run a new drill.",
                "times-plausible",
                sentences,
            )
        )
    if behind := outdated(dossier):
        found.append(
            _own(
                "records_current",
                Verdict.INCONCLUSIVE,
                "every record younger than what it looked at",
                f"{len(behind)} older",
                "Clear the named tasks, so that they look at what is there now.",
                "records-current",
                behind,
            )
        )
    return found


def _aborted(why: str | None) -> list[Reason]:
    return (
        []
        if why is None
        else [
            _own(
                "run_finished",
                Verdict.INCONCLUSIVE,
                "a run that ended by itself",
                why,
                "Start a new drill when the cause is gone.",
                "run-finished",
            )
        ]
    )


def _captures(missing: tuple[str, ...]) -> list[Reason]:
    return (
        []
        if not missing
        else [
            _own(
                "captures_kept",
                Verdict.INCONCLUSIVE,
                "every raw answer that a record cites",
                f"{len(missing)} not kept",
                "Clear the tasks that wrote these records.",
                "captures-kept",
                missing[:FINDINGS_SHOWN],
            )
        ]
    )


def _outcome_kind(dossier: Dossier, aborted: str | None) -> OutcomeKind:
    if aborted is not None:
        return OutcomeKind.ABORTED
    stopped = any(o.check.refuses and o.check.stage is Stage.PREFLIGHT and o.result.verdict is not Verdict.PASS for o in dossier.outcomes())
    return OutcomeKind.REFUSED if stopped and not dossier.reached(Stage.ISOLATE) else OutcomeKind.NORMAL


def final(
    proposal: Proposal, plan: DrillPlan, bundle_sha256: str, sign_off: SignOff | None, cleared_by: Iterable[str] | None = ()
) -> Final:
    """READY only when it was proposed and `sign_off` is a valid owner's approval of this bundle.

    `cleared_by`: whoever cleared or marked tasks; None when that could not be read, and then no sign-off counts.
    """
    if proposal.decision is not Decision.READY:
        return Final(Decision.FIX, None)
    problem = sign_off_problem(plan, bundle_sha256, sign_off, cleared_by)
    return Final(Decision.FIX if problem else Decision.READY, problem)


def sign_off_problem(plan: DrillPlan, bundle_sha256: str, sign_off: SignOff | None, cleared_by: Iterable[str] | None = ()) -> str | None:
    """Why this is not an owner's approval of this bundle; None when it is one."""
    if sign_off is None:
        return "no owner signed off"
    if not sign_off.answered:
        return "the deadline passed without an answer; silence is not approval"
    if sign_off.drill_id != plan.drill_id or sign_off.bundle_sha256 != bundle_sha256:
        return f"the sign-off speaks of another bundle ({sign_off.drill_id}, {sign_off.bundle_sha256[:16]})"
    if sign_off.signer not in {owner.user for owner in plan.environment.owners}:
        return f"{sign_off.signer} is not an owner of {plan.environment.name}"
    if plan.started_by in (sign_off.signer, sign_off.signer_name):
        return f"{sign_off.signer} started the drill; somebody else must sign"
    if cleared_by is None:
        return "who cleared or marked tasks of the run could not be read; it may have been the signer"
    if {sign_off.signer, sign_off.signer_name} & set(cleared_by):
        return f"{sign_off.signer} cleared or marked tasks of the run; somebody else must sign"
    if not sign_off.approved:
        return f"{sign_off.signer} rejected it: {sign_off.reason or 'no reason given'}"
    return None


def summary(
    dossier: Dossier,
    proposal: Proposal,
    decision: Decision,
    bundle_sha256: str | None,
    sign_off_problem: str | None = None,
) -> dict[str, Any]:
    """The content of summary.json. Times in seconds; None where nothing was measured."""
    plan, timing = dossier.plan, dossier.record("timing")
    facts: dict[str, Any] = (timing.facts or {}) if timing else {}
    reasons = [reason.to_dict() for reason in proposal.reasons]
    if sign_off_problem:
        reasons.append(
            _own(
                "owner_signed_off",
                Verdict.INCONCLUSIVE,
                "an owner's approval of this bundle",
                sign_off_problem,
                "An owner who neither started nor cleared anything signs the bundle.",
                "owner-signed-off",
            ).to_dict()
        )
    measured = ("rto_seconds", "rtt_seconds", "rpo_seconds", "rpo_by_surface", "business_rpo")
    return {
        "drill_id": plan.drill_id,
        "dag_id": plan.dag_id,
        "run_id": plan.run_id,
        "environment": plan.environment.name,
        "decision": decision.value,
        "proposed": proposal.decision.value,
        "verdict": proposal.verdict.value,
        "outcome": proposal.outcome_kind.value,
        "reasons": reasons,
        **{name: facts.get(name) for name in measured},
        "targets": plan.environment.targets.model_dump(mode="json"),
        "started_at": plan.asked_at,
        "phases": list(facts.get("phases") or ()),
        "bundle_sha256": bundle_sha256,
    }
