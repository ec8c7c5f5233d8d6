"""READY has one way in; everything else is FIX with a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.decide import Decision, OutcomeKind, SignOff, final, propose, sign_off_problem, summary
from dalp_dr.dossier import Dossier
from dalp_dr.model.check import FINDINGS_SHOWN, Surface, Verdict
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import Record
from synthetic_drill import (
    CATALOGUE,
    KINDS,
    TIMING,
    CountFacts,
    a_plan,
    a_record,
    good_records,
    with_record,
)

PLAN = a_plan()
GOOD = good_records(PLAN)
DIGEST = "ab" * 32


def proposed(records: tuple[Record, ...] = GOOD, plan: DrillPlan = PLAN, **more: Any):  # type: ignore[no-untyped-def]
    return propose(Dossier(plan, records, **CATALOGUE), **more)


def without(kind: str) -> tuple[Record, ...]:
    return tuple(r for r in GOOD if r.kind != kind)


def test_ready_when_everything_passes() -> None:
    assert (proposed().decision, proposed().verdict, proposed().reasons) == (Decision.READY, Verdict.PASS, ())


def test_no_checks_at_all_is_not_ready() -> None:
    proposal = propose(Dossier(PLAN, GOOD, kinds=KINDS, checks=()))
    assert proposal.decision is Decision.FIX and proposal.verdict is Verdict.INCONCLUSIVE and proposal.reasons


FIXES = {
    "one check fails": (
        with_record(GOOD, a_record(PLAN, "reconciliation", facts=CountFacts(3, 2, ("one wei",)))),
        PLAN,
        {},
        "reconciliation_complete",
        Verdict.FAIL,
    ),
    "one check was not run": (without("telemetry"), PLAN, {}, "telemetry_queryable", Verdict.INCONCLUSIVE),
    "a target is missed": (
        with_record(GOOD, a_record(PLAN, "timing", facts=replace(TIMING, rto_seconds=9999.0))),
        PLAN,
        {},
        "rto_met",
        Verdict.FAIL,
    ),
    "nothing was measured": (
        with_record(GOOD, a_record(PLAN, "timing", facts=replace(TIMING, rto_seconds=None))),
        PLAN,
        {},
        "rto_met",
        Verdict.FAIL,
    ),
    "a row of the seed lacks facts": (
        with_record(GOOD, a_record(PLAN, "object_versions", facts=None)),
        PLAN,
        {},
        "evidence_complete",
        Verdict.INCONCLUSIVE,
    ),
    "a surface is left out": (
        GOOD,
        a_plan(surfaces=tuple(Surface)[1:], full=False),
        {},
        "all_surfaces_covered",
        Verdict.INCONCLUSIVE,
    ),
    "all surfaces, but planned as a surface check": (
        GOOD,
        a_plan(full=False),
        {},
        "all_surfaces_covered",
        Verdict.INCONCLUSIVE,
    ),
    "a raw answer was not kept": (
        GOOD,
        PLAN,
        {"missing_captures": ("backup--app--01.json: velero",)},
        "captures_kept",
        Verdict.INCONCLUSIVE,
    ),
    "the run was given up": (
        GOOD,
        PLAN,
        {"aborted": "a real incident took precedence"},
        "run_finished",
        Verdict.INCONCLUSIVE,
    ),
    "a record older than the drill": (
        with_record(GOOD, a_record(PLAN, "telemetry", recorded_at="2026-10-05T00:00:00Z")),
        PLAN,
        {},
        "times_plausible",
        Verdict.FAIL,
    ),
    "a time without a zone": (
        with_record(GOOD, a_record(PLAN, "telemetry", recorded_at="2026-10-06T06:03:00")),
        PLAN,
        {},
        "times_plausible",
        Verdict.FAIL,
    ),
    "a recovered point after the incident": (
        GOOD,
        replace(PLAN, incident_time="2026-10-06T05:00:00Z"),
        {},
        "times_plausible",
        Verdict.FAIL,
    ),
    "a backup that ends before it starts": (
        GOOD,
        replace(PLAN, backups=(replace(PLAN.backups[0], completed_at="2026-10-06T01:00:00Z"), *PLAN.backups[1:])),
        {},
        "times_plausible",
        Verdict.FAIL,
    ),
    "a later attempt recorded earlier": (
        (*GOOD, a_record(PLAN, "telemetry", attempt=2, recorded_at="2026-10-06T06:01:00Z")),
        PLAN,
        {},
        "times_plausible",
        Verdict.FAIL,
    ),
}


@pytest.mark.parametrize(("records", "plan", "more", "check", "verdict"), FIXES.values(), ids=FIXES.keys())
def test_fix_names_the_reason(records: tuple[Record, ...], plan: DrillPlan, more: dict[str, Any], check: str, verdict: Verdict) -> None:
    proposal = proposed(records, plan, **more)
    assert proposal.decision is Decision.FIX
    reason = next(r for r in proposal.reasons if r.check == check)
    assert reason.verdict is verdict
    assert reason.next_step and ".md#" in reason.runbook and reason.expected and reason.observed


def test_one_failure_never_hides_another_and_failures_come_first() -> None:
    records = with_record(without("telemetry"), a_record(PLAN, "reconciliation", facts=CountFacts(3, 2)))
    records = with_record(records, a_record(PLAN, "namespace_inventory", "support", facts=CountFacts(3, 1)))
    found = [(r.check, r.subject) for r in proposed(records).reasons]
    assert set(found[:2]) == {("reconciliation_complete", "drill"), ("namespace_inventory_complete", "support")}
    assert ("telemetry_queryable", "drill") in found[2:]


def test_findings_are_capped_and_counted() -> None:
    records = with_record(GOOD, a_record(PLAN, "reconciliation", facts=CountFacts(3, 2, tuple(map(str, range(100))))))
    findings = proposed(records).reasons[0].findings
    assert len(findings) == FINDINGS_SHOWN + 1 and "80 more" in findings[-1]


def test_refused_when_preflight_stopped_it_before_anything_was_made() -> None:
    stale = with_record(GOOD, a_record(PLAN, "backup", "app", facts=CountFacts(3, 2)))
    early = tuple(r for r in stale if KINDS[r.kind].stage in ("plan", "preflight"))
    assert proposed(early).outcome_kind is OutcomeKind.REFUSED
    assert proposed(stale).outcome_kind is OutcomeKind.NORMAL
    assert proposed(aborted="pre-empted").outcome_kind is OutcomeKind.ABORTED


def test_a_surface_check_may_pass_without_being_ready() -> None:
    plan = a_plan(surfaces=(Surface.DATABASE,), full=False)
    proposal = proposed(GOOD, plan)
    assert proposal.decision is Decision.FIX and proposal.verdict is Verdict.PASS


APPROVAL = SignOff(PLAN.drill_id, DIGEST, "otto", True, "", "2026-10-06T06:20:00Z", "airflow_account", "owner")
NO_APPROVALS = {
    "nobody answered": (None, ()),
    "the deadline passed with a default": (replace(APPROVAL, answered=False), ()),
    "another bundle": (replace(APPROVAL, bundle_sha256="cd" * 32), ()),
    "another drill": (replace(APPROVAL, drill_id="d-20260101-00000000"), ()),
    "not an owner": (replace(APPROVAL, signer="eve"), ()),
    "the starter": (replace(APPROVAL, signer="sam"), ()),
    "somebody who cleared tasks": (APPROVAL, ("otto",)),
    "a rejection": (replace(APPROVAL, approved=False, reason="index differs"), ()),
}


@pytest.mark.parametrize(("answer", "cleared_by"), NO_APPROVALS.values(), ids=NO_APPROVALS.keys())
def test_this_is_no_approval(answer: SignOff | None, cleared_by: tuple[str, ...]) -> None:
    decided = final(proposed(), PLAN, DIGEST, answer, cleared_by)
    assert decided.decision is Decision.FIX and decided.sign_off_problem


def test_an_owner_who_started_the_drill_cannot_sign_it() -> None:
    assert "started" in str(sign_off_problem(replace(PLAN, started_by="otto"), DIGEST, APPROVAL))


def test_an_owners_approval_of_this_bundle_is_ready() -> None:
    assert final(proposed(), PLAN, DIGEST, APPROVAL).decision is Decision.READY


def test_an_approval_does_not_make_a_failure_ready() -> None:
    assert final(proposed(without("telemetry")), PLAN, DIGEST, APPROVAL).decision is Decision.FIX


def test_summary_has_what_scripts_rely_on() -> None:
    content = summary(Dossier(PLAN, GOOD, **CATALOGUE), proposed(), Decision.FIX, DIGEST, "no owner signed off")
    assert {
        "drill_id",
        "dag_id",
        "run_id",
        "decision",
        "verdict",
        "reasons",
        "rto_seconds",
        "rtt_seconds",
        "rpo_seconds",
        "rpo_by_surface",
        "business_rpo",
        "started_at",
        "phases",
        "bundle_sha256",
        "targets",
    } <= set(content)
    assert content["reasons"][-1]["check"] == "owner_signed_off"
    assert {"check", "surface", "verdict", "expected", "observed", "next_step", "runbook"} <= set(content["reasons"][-1])
    assert content["rto_seconds"] == 412.5 and content["phases"][0]["name"] == "restore"
