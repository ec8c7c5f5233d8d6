"""Answers out of records: whatever is missing, broken or foreign is inconclusive, never pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dalp_dr.dossier import SEED_ROWS, Dossier, Outcome
from dalp_dr.model.check import Check, CheckResult, Stage, Surface, Verdict
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import Record
from synthetic_drill import CATALOGUE, CHECKS, KINDS, CountFacts, a_plan, a_record, good_records, with_record

PLAN = a_plan()


def outcome_of(records: tuple[Record, ...], check: str = "reconciliation_complete", **catalogue: object) -> Outcome:
    dossier = Dossier(PLAN, records, **(catalogue or CATALOGUE))  # type: ignore[arg-type]
    return next(o for o in dossier.outcomes() if o.check.id == check)


def test_every_required_check_has_exactly_one_answer() -> None:
    answers = [(o.check.id, o.subject) for o in Dossier(PLAN, (), **CATALOGUE).outcomes()]
    assert len(answers) == len(set(answers))
    assert ("backup_complete", "support") in answers and ("reconciliation_complete", "drill") in answers


BROKEN = {
    "nothing recorded": (None, "not run"),
    "facts could not be had": (a_record(PLAN, "reconciliation", facts=None), "could not be asked"),
    "neither facts nor error": (a_record(PLAN, "reconciliation", facts=None, error=None), "no facts and no error"),
    "facts of another shape": (
        replace(a_record(PLAN, "reconciliation"), facts={"expected_count": "three", "found_count": 3}),
        "do not decode",
    ),
    "a field is missing": (replace(a_record(PLAN, "reconciliation"), facts={"expected_count": 3}), "do not decode"),
    "a record of another drill": (a_record(PLAN, "reconciliation", drill_id="d-20260101-00000000"), "another drill"),
}


@pytest.mark.parametrize(("record", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_inconclusive_and_says_why(record: Record | None, says: str) -> None:
    rest = tuple(r for r in good_records(PLAN) if r.kind != "reconciliation")
    outcome = outcome_of(rest if record is None else (*rest, record))
    assert outcome.result.verdict is Verdict.INCONCLUSIVE
    assert says in outcome.result.observed


def test_a_check_that_raises_is_inconclusive() -> None:
    def crash(facts: object, plan: DrillPlan) -> CheckResult:
        raise ZeroDivisionError("by nothing")

    check = Check("crashes", "reconciliation", None, Stage.RECONCILE, "?", crash, "Look.", "x.md#y")
    outcome = outcome_of((a_record(PLAN, "reconciliation"),), "crashes", kinds=KINDS, checks=(check,))
    assert outcome.result.verdict is Verdict.INCONCLUSIVE
    assert "ZeroDivisionError: by nothing" in outcome.result.observed


def test_the_newest_attempt_counts_and_all_are_kept() -> None:
    first, second = (
        a_record(PLAN, "reconciliation", facts=CountFacts(3, 2)),
        a_record(PLAN, "reconciliation", attempt=2),
    )
    for order in ((first, second), (second, first)):
        dossier = Dossier(PLAN, order, **CATALOGUE)
        assert dossier.record("reconciliation") == second
        assert dossier.attempts("reconciliation", "drill") == (first, second)
    assert outcome_of((second, a_record(PLAN, "reconciliation", facts=CountFacts(3, 2), attempt=3))).result.verdict is Verdict.FAIL


def test_a_surface_that_is_not_covered_is_not_required() -> None:
    plan = a_plan(surfaces=(Surface.DATABASE,), full=False)
    asked = {o.check.id for o in Dossier(plan, (), **CATALOGUE).outcomes()}
    assert "telemetry_queryable" not in asked
    assert asked >= {"database_recovery_point_complete", "rto_met"}


def test_seed_rows_in_the_order_of_the_seed() -> None:
    dossier = Dossier(PLAN, good_records(PLAN), **CATALOGUE)
    assert tuple(row.title for row in dossier.seed_rows()) == SEED_ROWS
    assert dossier.missing_seed_rows() == ()


def test_a_row_lacks_facts_when_one_of_its_subjects_does() -> None:
    records = with_record(good_records(PLAN), a_record(PLAN, "backup", "support", facts=None))
    row = Dossier(PLAN, records, **CATALOGUE).seed_rows()[0]
    assert row.missing == ("backup support",)


def test_a_row_that_no_kind_fills_is_missing() -> None:
    assert set(Dossier(PLAN, (), kinds={"timing": KINDS["timing"]}, checks=CHECKS[-1:]).missing_seed_rows()) == set(SEED_ROWS)
