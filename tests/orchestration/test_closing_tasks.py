"""Seal, sign-off and decision: only an owner's approval of exactly this digest makes a good drill green."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from dalp_dr.errors import FactError
from dalp_dr.evidence import ledger
from dalp_dr_airflow.drill import Drill
from dalp_dr_airflow.errors import NotReadyError
from dalp_dr_airflow.operators import decide as deciding
from dalp_dr_airflow.operators import seal as sealing
from dalp_dr_airflow.operators.decide import DecideOperator
from dalp_dr_airflow.operators.seal import SealEvidenceOperator, newest_bundle
from dalp_dr_airflow.operators.sign_off import APPROVE, REJECT, SignOffOperator
from fake_run import FakeRun
from synthetic_drill import TIMING, CountFacts, a_record

BAD = CountFacts(3, 2, ("one is missing",))
OTTO = {"id": "otto", "name": "Otto Owner"}


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are other tests' matter."""
    monkeypatch.setattr(sealing, "publish", lambda drill, folder: None)
    monkeypatch.setattr(deciding, "publish", lambda drill, folder: None)


@pytest.fixture
def with_provenance(good_run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """The small catalogue has no provenance kind; the seal is given one."""
    monkeypatch.setattr(Drill, "facts", lambda self, kind, subject="drill": CountFacts(1, 1))
    return good_run


def seal(run: FakeRun) -> dict[str, Any]:
    return SealEvidenceOperator(task_id="evidence").execute(run.context("seal.evidence"))


def answer(run: FakeRun, digest: str, chosen: str = APPROVE, person: dict[str, str] | None = OTTO, comment: str = "seen") -> None:
    event = {
        "chosen_options": [chosen],
        "params_input": {"bundle_sha256": digest, "comment": comment},
        "responded_at": datetime(2026, 10, 6, 6, 20, tzinfo=UTC),
        "responded_by_user": person,
        "timedout": False,
    }
    SignOffOperator(task_id="owner", assigned_users=[OTTO]).execute_complete(run.context("sign_off.owner"), event)


def decide(run: FakeRun, **more: Any) -> dict[str, Any]:
    return DecideOperator(task_id="decision", **more).execute(run.context("decide.decision"))


def test_a_good_drill_with_its_owners_approval_is_ready(with_provenance: FakeRun, no_lease: list[str]) -> None:
    run = with_provenance
    sealed = seal(run)
    assert (sealed["verdict"], sealed["proposed"]) == ("pass", "READY")
    answer(run, sealed["bundle_sha256"])
    assert decide(run)["decision"] == "READY"
    assert (run.summary()["decision"], run.summary()["reasons"]) == ("READY", [])
    assert no_lease == [run.plan.drill_id]


CASES = {
    "nobody answered": None,
    "rejected": {"chosen": REJECT},
    "a default taken by timeout": {"person": None},
    "another digest": {"digest": "0" * 64},
    "no digest": {"digest": ""},
    "not an owner": {"person": {"id": "vera", "name": "Vera"}},
    "whoever started it": {"person": {"id": "sam", "name": "Sam"}},
}


@pytest.mark.parametrize("case", CASES)
def test_without_a_valid_sign_off_a_good_drill_is_not_ready(with_provenance: FakeRun, case: str) -> None:
    run = with_provenance
    sealed = seal(run)
    if CASES[case] is not None:
        answer(run, **{"digest": sealed["bundle_sha256"], **CASES[case]})
    with pytest.raises(NotReadyError, match="FIX"):
        decide(run)
    assert run.summary()["decision"] == "FIX"
    assert [r["check"] for r in run.summary()["reasons"]] == ["owner_signed_off"]


def test_a_finding_is_named_and_nothing_is_put_before_an_owner(with_provenance: FakeRun) -> None:
    run = with_provenance
    run.record(a_record(run.plan, "reconciliation", facts=BAD, attempt=2))
    assert seal(run)["proposed"] == "FIX"
    with pytest.raises(AirflowSkipException, match="nothing to sign"):
        SignOffOperator(task_id="owner", assigned_users=[OTTO]).execute(run.context("sign_off.owner"))
    with pytest.raises(NotReadyError, match="reconciliation_complete"):
        decide(run)
    assert "reconciliation_complete" in [r["check"] for r in run.summary()["reasons"]]


def test_a_later_attempt_is_sealed_again_with_a_link_to_the_bundle_before(with_provenance: FakeRun) -> None:
    run = with_provenance
    run.record(a_record(run.plan, "reconciliation", facts=BAD, attempt=2))
    first = seal(run)
    run.record(a_record(run.plan, "reconciliation", attempt=3), a_record(run.plan, "timing", facts=TIMING, attempt=3))
    second = seal(run)
    assert (first["proposed"], second["proposed"]) == ("FIX", "READY")
    listing = newest_bundle(Drill.open(run.context())).read_manifest()
    assert (listing.attempt, listing.previous) == (2, first["bundle_sha256"])
    assert ledger.head(run.store)


def test_an_approval_of_the_bundle_before_does_not_count(with_provenance: FakeRun) -> None:
    run = with_provenance
    first = seal(run)
    run.record(a_record(run.plan, "reconciliation", attempt=2))
    seal(run)
    answer(run, first["bundle_sha256"])
    with pytest.raises(NotReadyError):
        decide(run)


def test_a_drill_without_a_plan_says_fix_and_why(run: FakeRun) -> None:
    run.xcoms[("plan.freeze", "refusal")] = "Another drill holds the lease."
    with pytest.raises(NotReadyError, match="Another drill holds the lease"):
        decide(run)
    found = run.summary()
    assert (found["decision"], found["outcome"], found["bundle_sha256"]) == ("FIX", "refused", None)
    assert found["reasons"][0]["observed"] == "Another drill holds the lease."


def test_a_check_of_single_surfaces_is_green_but_not_ready(with_provenance: FakeRun) -> None:
    run = with_provenance
    seal(run)
    with pytest.raises(NotReadyError):
        decide(run)
    assert decide(run, surfaces_only=True)["decision"] == "FIX"


def test_a_dry_run_that_described_the_drill_ends_skipped(run: FakeRun) -> None:
    run.params["dry_run"] = True
    run.xcoms[("plan.freeze", "dry_run")] = ["Would create: namespaces"]
    with pytest.raises(AirflowSkipException):
        decide(run)


@pytest.mark.parametrize("refusal", ["There is not enough room.", None])
def test_a_dry_run_that_described_nothing_is_red(run: FakeRun, refusal: str | None) -> None:
    run.params["dry_run"] = True
    run.xcoms[("plan.freeze", "refusal")] = refusal
    with pytest.raises(NotReadyError, match=refusal or "could not be described"):
        decide(run)


def cleared(user: str, note: str = "the store was down") -> dict[str, Any]:
    said = {"method": "POST", "task_ids": ["verify.count"], "note": note}
    run = {"dag_id": "quarterly_drill", "run_id": "scheduled__2026-10-06", "task_id": None}
    return {"event": "post_clear_task_instances", "owner": user, "when": "2026-10-06T06:15:00Z", "extra": json.dumps(said), **run}


def test_a_rerun_with_its_reason_does_not_stand_in_the_way(with_provenance: FakeRun) -> None:
    run = with_provenance
    run.airflow.rows.append(cleared("oscar"))
    answer(run, seal(run)["bundle_sha256"])
    assert decide(run)["decision"] == "READY"


def test_whoever_cleared_a_task_cannot_sign_even_if_it_was_after_the_seal(with_provenance: FakeRun) -> None:
    run = with_provenance
    sealed = seal(run)
    answer(run, sealed["bundle_sha256"])
    run.airflow.rows.append(cleared("otto"))
    with pytest.raises(NotReadyError, match="otto cleared or marked tasks"):
        decide(run)


def test_a_rerun_without_a_reason_is_a_finding(with_provenance: FakeRun) -> None:
    run = with_provenance
    run.airflow.rows.append(cleared("oscar", note=""))
    assert seal(run)["proposed"] == "FIX"
    with pytest.raises(NotReadyError, match="reruns_explained"):
        decide(run)


def test_nobody_signs_while_it_is_not_known_who_cleared_what(with_provenance: FakeRun) -> None:
    run = with_provenance
    sealed = seal(run)
    answer(run, sealed["bundle_sha256"])
    run.airflow.error = FactError("Airflow does not answer.")
    with pytest.raises(NotReadyError, match="could not be read"):
        decide(run)
    assert seal(run)["verdict"] == "inconclusive"


def test_a_secret_in_a_note_is_not_kept(with_provenance: FakeRun) -> None:
    run = with_provenance
    run.airflow.rows.append(cleared("oscar", note="login was postgresql://dalp:hunter2hunter2@db:5432/dalp"))
    seal(run)
    kept = b"".join(run.store.get(key) for key in run.store.list(""))
    assert b"login was" in kept and b"hunter2hunter2" not in kept


def test_a_manual_change_leaves_the_page_that_a_runbook_lacks(with_provenance: FakeRun) -> None:
    run = with_provenance
    run.airflow.rows.append(cleared("oscar", note=""))
    seal(run)
    with pytest.raises(NotReadyError):
        decide(run)
    said = run.summary()["missing_step"]
    patch = (run.home / "drills" / run.plan.drill_id / said["patch"]).read_text()
    assert "oscar cleared verify.count" in patch and "drill.md#rerun" in patch
    assert said["branch"] is None, "without a repository that takes it the patch is all there is"


def test_after_a_clear_of_the_failed_tasks_alone_the_decision_seals_again(with_provenance: FakeRun) -> None:
    run = with_provenance
    run.record(a_record(run.plan, "reconciliation", facts=BAD, attempt=2))
    first = seal(run)
    with pytest.raises(NotReadyError, match="FIX"):
        decide(run)
    run.record(a_record(run.plan, "reconciliation", attempt=3), a_record(run.plan, "timing", facts=TIMING, attempt=3))
    run.airflow.rows.append(cleared("oscar"))
    with pytest.raises(NotReadyError, match="no owner signed off"):
        decide(run)
    newest = newest_bundle(Drill.open(run.context()))  # type: ignore[arg-type]
    assert (newest.read_manifest().attempt, newest.read_manifest().previous) == (2, first["bundle_sha256"])
    assert run.summary()["bundle_sha256"] == newest.manifest_sha256
    answer(run, newest.manifest_sha256)
    assert decide(run)["decision"] == "READY"


def test_an_approved_drill_that_recorded_something_since_is_approved_no_more(with_provenance: FakeRun) -> None:
    run = with_provenance
    answer(run, seal(run)["bundle_sha256"])
    run.record(a_record(run.plan, "reconciliation", facts=BAD, attempt=9))
    with pytest.raises(NotReadyError):
        decide(run)
    assert run.summary()["decision"] == "FIX" and any(r["check"] != "owner_signed_off" for r in run.summary()["reasons"])
