"""The evidence store is down, or the signing key is wrong: nothing is lost, nothing counts, nothing starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.errors import DrillError, EvidenceError, InputError, RefusedError
from dalp_dr.evidence import ledger
from dalp_dr_airflow import fence
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.errors import NotReadyError
from dalp_dr_airflow.hooks.evidence import EvidenceStoreHook
from dalp_dr_airflow.operators import decide as deciding
from dalp_dr_airflow.operators import seal as sealing
from dalp_dr_airflow.operators.base import DrillOperator
from dalp_dr_airflow.operators.decide import DecideOperator
from dalp_dr_airflow.operators.plan import PlanOperator
from dalp_dr_airflow.operators.seal import SealEvidenceOperator
from fake_run import FakeRun
from synthetic_drill import OTHER_KEY, CountFacts, a_plan, private_pem

sys.path.append(str(Path(__file__).parents[1] / "recorded" / "hooks"))
from fake_s3 import FakeS3

DOWN = frozenset({"put_object", "list_objects_v2", "get_object"})


class Count(DrillOperator):
    """Records one good answer."""

    def gather(self, drill: Drill, context: Any) -> list[Gathered]:
        return [Gathered("telemetry", CountFacts(3, 3), captures={"raw": ("asked", {"count": 3})})]


@pytest.fixture
def bucket(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    """An evidence bucket in memory, with everything a good run had stored."""
    monkeypatch.setattr(sealing, "publish", lambda drill, folder: None)
    monkeypatch.setattr(deciding, "publish", lambda drill, folder: None)
    fake = FakeS3(page=1000)
    hook = EvidenceStoreHook("unused", "dalp-evidence", mirror=run.home)
    hook.client = fake  # type: ignore[misc]
    monkeypatch.setattr(Drill, "evidence", hook)
    run.freeze()
    for key in run.store.list(""):
        hook.put(key, run.store.get(key))
    return fake


def test_what_was_found_is_kept_and_sent_later(run: FakeRun, bucket: FakeS3) -> None:
    drill = Drill.open(run.context("verify.count"))  # type: ignore[arg-type]
    assert drill.plan
    bucket.deny = frozenset({"put_object"})
    with pytest.raises(EvidenceError):
        drill.evidence.put(drill.key("records", "telemetry--drill--01.json"), b"{}")
    kept = [p for p in (run.home / "unsent").rglob("*") if p.is_file()]
    assert [p.name for p in kept] == ["telemetry--drill--01.json"]
    bucket.deny = frozenset()
    drill.evidence.put(drill.key("captures", "0" * 64), b"next")
    assert drill.key("records", "telemetry--drill--01.json") in bucket.objects
    assert [p for p in (run.home / "unsent").rglob("*") if p.is_file()] == []


def test_the_task_fails_until_its_record_is_stored(run: FakeRun, bucket: FakeS3) -> None:
    bucket.deny = frozenset({"put_object"})
    with pytest.raises(EvidenceError):
        Count(task_id="count").execute(run.context("verify.count"))
    assert not [key for key in bucket.objects if "/records/telemetry" in key]
    bucket.deny = frozenset()
    Count(task_id="count").execute(run.context("verify.count", try_number=2))
    assert [key for key in bucket.objects if "/records/telemetry--drill--02" in key]


def test_an_entry_of_the_ledger_is_never_kept_for_later(run: FakeRun, bucket: FakeS3) -> None:
    drill = Drill.open(run.context())  # type: ignore[arg-type]
    bucket.deny = frozenset({"put_object"})
    for key in ("ledger/000001-d-1-opening.json", "ledger-claims/000001.json", "bundles/d-1/01/manifest.json", drill.key("plan.json")):
        with pytest.raises(EvidenceError):
            drill.evidence.put(key, b"{}")
    assert [p for p in (run.home / "unsent").rglob("*") if p.is_file()] == []


def test_a_store_that_stays_down_is_not_ready(run: FakeRun, bucket: FakeS3) -> None:
    bucket.deny = DOWN
    with pytest.raises(DrillError):
        SealEvidenceOperator(task_id="evidence").execute(run.context("seal.evidence"))
    with pytest.raises((NotReadyError, DrillError)):
        DecideOperator(task_id="decision").execute(run.context("decide.decision"))
    assert run.summary()["decision"] == "FIX"


WRONG_KEYS = {
    "none": (json.dumps({"conn_type": "generic", "password": ""}), InputError, "holds no private key"),
    "not a key": (json.dumps({"conn_type": "generic", "password": "-----BEGIN PRIVATE KEY-----\nnonsense"}), EvidenceError, "key"),
}


@pytest.mark.parametrize(("connection", "error", "said"), WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
def test_without_a_good_signing_key_nothing_starts(
    run: FakeRun, monkeypatch: pytest.MonkeyPatch, connection: str, error: type[DrillError], said: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DALP_EVIDENCE_SIGNING", connection)
    touched: list[str] = []
    monkeypatch.setattr(fence, "hold_lease", lambda *_: touched.append("lease"))
    context = run.context("plan.freeze")
    context["dag_run"].triggering_user_name = "sam"
    with pytest.raises(error, match=said):
        PlanOperator(task_id="freeze").execute(context)
    assert touched == [] and run.store.list("") == ()
    assert run.plan.drill_id == a_plan().drill_id


def test_a_key_that_the_ledger_does_not_know_starts_nothing(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.append(run.store, "opening", "d-20261001-00000000", {}, private_pem(OTHER_KEY), "2026-10-01T00:00:00Z")
    before = run.store.list("")
    monkeypatch.setattr(fence, "hold_lease", lambda *_: pytest.fail("the lease was taken"))
    context = run.context("plan.freeze")
    context["dag_run"].triggering_user_name = "sam"
    with pytest.raises(RefusedError, match="cannot be followed to the signing key"):
        PlanOperator(task_id="freeze").execute(context)
    assert run.store.list("") == before
