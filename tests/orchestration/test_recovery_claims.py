"""The workflow that says what may be published: from the evidence store, told once, kept where a pipeline finds it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dalp_dr_airflow.operators.claims import RecoveryClaimsOperator
from fake_run import FakeRun
from synthetic_drill import CountFacts, a_plan, a_record, decided, enter, good_records, sealed, with_record


def ended(run: FakeRun, run_id: str, asked_at: str = "2026-10-06T06:00:00Z", **broken: Any) -> str:
    """A drill in the evidence store, decided; returns its id."""
    plan = a_plan(run_id, asked_at=asked_at)
    found = good_records(plan)
    for kind, facts in broken.items():
        found = with_record(found, a_record(plan, kind, facts=facts))
    whole = decided(sealed(plan, found))
    whole.put(run.store, f"bundles/{plan.drill_id}/01")
    enter(run.store, whole)
    return plan.drill_id


@pytest.fixture
def small(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """The catalogue that the synthetic bundles were made with."""
    from dalp_dr import catalogue
    from synthetic_drill import CATALOGUE

    monkeypatch.setattr(catalogue, "KINDS", CATALOGUE["kinds"])
    monkeypatch.setattr(catalogue, "CHECKS", CATALOGUE["checks"])
    return run


def compute(run: FakeRun) -> tuple[dict[str, Any], dict[str, Any]]:
    xcom = RecoveryClaimsOperator(task_id="claims_lab", environment="lab").execute(run.context())
    whole: dict[str, Any] = json.loads((run.home / "claims.json").read_text())
    return xcom, whole["environments"]["lab"]


def test_without_a_drill_nothing_may_be_published(small: FakeRun) -> None:
    xcom, said = compute(small)
    assert xcom["publishable"] is said["publishable"] is False
    assert said["not_earned_because"] == ["no drill is on record"]


def test_a_ready_drill_without_a_route_switch_earns_none_and_says_so(small: FakeRun) -> None:
    drill_id = ended(small, "first")
    _, said = compute(small)
    assert (said["publishable"], said["drills"]) == (False, 1)
    assert said["not_earned_because"] == [f"{drill_id} included no route switch; a drill includes it when it is asked to"]
    assert said["ledger_head"]


def test_what_did_not_change_is_not_stored_again(small: FakeRun) -> None:
    ended(small, "first")
    first, second = compute(small)[0], compute(small)[0]
    assert (first["changes"], second["changes"]) == (1, 0)
    assert len(small.store.list("claims/lab/")) == 1


def test_a_finding_stays_open_with_its_runbook_until_that_check_passes(small: FakeRun) -> None:
    drill_id = ended(small, "first", telemetry=CountFacts(3, 2))
    compute(small)
    _, said = compute(small)
    assert [(r["check"], r["since_drill"], r["runbook"]) for r in said["open_reasons"]] == [
        ("telemetry_queryable", drill_id, "telemetry.md#empty")
    ]
    ended(small, "second", "2026-10-06T06:01:00Z")
    _, said = compute(small)
    assert said["open_reasons"] == [] and "closed: telemetry_queryable (drill)" in said["changes"]


def test_xcom_is_small(small: FakeRun) -> None:
    ended(small, "first", telemetry=CountFacts(3, 2))
    assert len(json.dumps(compute(small)[0])) < 200


def test_the_workflow_runs_daily_and_after_drills(dagbag: Any) -> None:
    dag = dagbag.dags["recovery_claims"]
    assert {outlet.name for task in dag.tasks for outlet in task.outlets} == {"recovery_claims"}
    assert "recovery_drill_evidence" in {o.name for t in dagbag.dags["quarterly_drill"].tasks for o in t.outlets}
    assert {"seal.evidence", "decide.decision"} == {t.task_id for t in dagbag.dags["quarterly_drill"].tasks if t.outlets}
