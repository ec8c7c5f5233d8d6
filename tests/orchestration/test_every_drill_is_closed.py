"""Every opening in the ledger gets its closing: refused, aborted, without a bundle; and the head is told."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.evidence import canonical, dsse, ledger, ledger_verification, records
from dalp_dr.evidence.verify import verify
from dalp_dr_airflow.drill import Drill
from dalp_dr_airflow.errors import NotReadyError
from dalp_dr_airflow.operators import abort
from dalp_dr_airflow.operators import decide as deciding
from dalp_dr_airflow.operators import seal as sealing
from dalp_dr_airflow.operators.decide import DecideOperator
from dalp_dr_airflow.operators.seal import SealEvidenceOperator, newest_bundle
from fake_run import FakeRun
from synthetic_drill import KEY, PUBLIC, CountFacts, a_record, private_pem

STOPPED = {
    "event": "patch_dag_run",
    "owner": "oscar",
    "when": "2026-10-06T06:05:00Z",
    "dag_id": "quarterly_drill",
    "run_id": "scheduled__2026-10-06",
    "extra": '{"state": "failed", "note": "a real incident"}',
}


@pytest.fixture
def opened(good_run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """A drill whose plan was made: its ledger entry is open."""
    monkeypatch.setattr(sealing, "publish", lambda drill, folder: None)
    monkeypatch.setattr(deciding, "publish", lambda drill, folder: None)
    monkeypatch.setattr(abort, "publish", lambda drill, folder: None)
    monkeypatch.setattr(Drill, "facts", lambda self, kind, subject="drill": CountFacts(1, 1))
    plan = good_run.plan
    payload = {"plan_sha256": canonical.sha256(records.encode_plan(plan)), "environment": "lab", "started_by": plan.started_by}
    ledger.append(good_run.store, "opening", plan.drill_id, payload, private_pem(KEY), plan.asked_at)
    return good_run


def check(run: FakeRun) -> ledger_verification.Ledger:
    files = {key: run.store.get(key) for key in run.store.list("ledger/")}
    return ledger_verification.check(files, [PUBLIC])


def kinds(run: FakeRun) -> list[str]:
    return [entry.kind for entry in ledger.entries(run.store)]


def test_an_open_drill_is_reported(opened: FakeRun) -> None:
    assert any("is open" in note for note in check(opened).notes)


def test_a_refused_drill_is_closed_and_the_head_is_told(opened: FakeRun, caplog: pytest.LogCaptureFixture) -> None:
    run = opened
    for key in run.store.list(f"drills/{run.plan.drill_id}/records/"):
        (run.store.root / key).unlink()  # nothing after preflight was reached
    run.record(a_record(run.plan, "backup", "app", facts=CountFacts(3, 0)))
    SealEvidenceOperator(task_id="evidence").execute(run.context("seal.evidence"))
    with pytest.raises(NotReadyError), caplog.at_level("INFO"):
        DecideOperator(task_id="decision").execute(run.context("decide.decision"))
    assert run.summary()["outcome"] == "refused"
    assert "refused" in kinds(run)
    assert run.summary()["ledger_head"] == ledger.head(run.store)
    assert str(ledger.head(run.store)) in caplog.text
    assert (check(run).problems, [n for n in check(run).notes if "open" in n]) == ([], [])


def test_a_drill_that_somebody_stopped_is_sealed_as_aborted(opened: FakeRun) -> None:
    run = opened
    run.airflow.rows.append(STOPPED)
    drill = Drill.open(run.context("teardown.sandbox"))
    why = abort.why_stopped(drill)
    assert why is not None
    sealed = abort.seal_aborted(drill, why)
    found = run.summary()
    assert (found["decision"], found["outcome"]) == ("FIX", "aborted")
    (reason,) = [r for r in found["reasons"] if r["check"] == "run_finished"]
    assert "oscar set the run to failed" in reason["observed"] and "a real incident" in reason["observed"]
    assert kinds(run)[-1] == "aborted" and found["ledger_head"] == ledger.head(run.store)
    assert check(run).problems == []
    result = verify(sealed, [PUBLIC])
    assert (result.problems, result.exit_code) == ((), 1)


def test_a_decision_on_an_aborted_bundle_says_aborted_again(opened: FakeRun) -> None:
    run = opened
    abort.seal_aborted(Drill.open(run.context()), "the run ended before its seal")
    with pytest.raises(NotReadyError, match="run_finished"):
        DecideOperator(task_id="decision").execute(run.context("decide.decision"))
    bundle = newest_bundle(Drill.open(run.context()))
    assert verify(bundle, [PUBLIC]).problems == ()
    assert dsse.peek(bundle.after("decision")[-1][1])["predicate"]["decision"] == "FIX"


def test_a_drill_whose_seal_never_ended_is_closed_by_the_decision(opened: FakeRun) -> None:
    with pytest.raises(NotReadyError):
        DecideOperator(task_id="decision").execute(opened.context("decide.decision"))
    assert kinds(opened) == ["opening", "aborted"]
    assert opened.summary()["ledger_head"] == ledger.head(opened.store)


def test_a_run_that_was_refused_before_it_opened_needs_no_closing(run: FakeRun) -> None:
    with pytest.raises(NotReadyError):
        DecideOperator(task_id="decision").execute(run.context("decide.decision"))
    assert ledger.entries(run.store) == ()


def test_an_entry_that_is_written_twice_is_one(opened: FakeRun) -> None:
    drill: Any = Drill.open(opened.context())
    for _ in range(2):
        abort.close(drill, deciding.decide.OutcomeKind.ABORTED, None, "the same")
    assert kinds(opened) == ["opening", "aborted"]
