"""The workflow that changes signing keys: entered first, then in force, and nobody unknown signs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dalp_dr.errors import InputError, RefusedError
from dalp_dr.evidence import dsse, ledger, ledger_verification
from dalp_dr_airflow.operators.keys import SigningKeyOperator
from fake_run import FakeRun
from synthetic_drill import KEY, OTHER_KEY, PUBLIC, a_plan, decided, enter, private_pem, public_pem, sealed


def connected(monkeypatch: pytest.MonkeyPatch, key: Any, *older: Any) -> None:
    extra = {"trusted_keys": "".join(public_pem(one) for one in older)}
    found = {"conn_type": "generic", "password": private_pem(key), "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_DALP_EVIDENCE_SIGNING", json.dumps(found))


def change(run: FakeRun, user: str | None = "sam", **params: Any) -> dict[str, Any]:
    run.params = {"environment": "lab", "public_key": None, "key_id": None, "reason": "yearly change", **params}
    context = run.context("change")
    context["dag_run"].triggering_user_name = user
    return SigningKeyOperator(task_id="change").execute(context)


@pytest.fixture
def one_drill(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    enter(run.store, decided(sealed(a_plan("one"))))
    connected(monkeypatch, KEY)
    return run


def test_a_key_is_changed_and_an_auditor_follows_from_the_first_one(one_drill: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    change(one_drill, action="add", public_key=public_pem(OTHER_KEY))
    connected(monkeypatch, OTHER_KEY, KEY)
    said = change(one_drill, action="revoke", key_id=PUBLIC.key_id)
    assert said["ledger_head"] == ledger.head(one_drill.store)
    files = {name: one_drill.store.get(name) for name in one_drill.store.list(ledger.PREFIX)}
    found = ledger_verification.check(files, [PUBLIC])
    assert found.problems == [] and set(found.revoked) == {PUBLIC.key_id}
    assert dsse.public_of(private_pem(OTHER_KEY)).key_id in found.keys


def test_a_key_in_the_connection_that_nobody_added_changes_nothing(one_drill: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    connected(monkeypatch, OTHER_KEY, KEY)
    before = one_drill.store.list("")
    with pytest.raises(RefusedError, match="does not know the signing key"):
        change(one_drill, action="add", public_key=public_pem(OTHER_KEY))
    assert one_drill.store.list("") == before


def test_nobody_changes_keys_without_a_name(one_drill: FakeRun) -> None:
    with pytest.raises(InputError, match="Nobody is named"):
        change(one_drill, user=None, action="add", public_key=public_pem(OTHER_KEY))


def test_its_form_and_its_only_task(dagbag: Any) -> None:
    dag = dagbag.dags["evidence_keys"]
    assert [type(task).__name__ for task in dag.tasks] == ["SigningKeyOperator"]
    assert set(dag.params) == {"environment", "action", "public_key", "key_id", "reason"}


def test_the_tasks_that_sign_can_have_workers_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    from dalp_dr_airflow.drill import INCLUDE

    monkeypatch.setenv("DALP_DR_SIGNING_QUEUE", "signing")
    bag = DagBag(INCLUDE.parent / "dags")
    apart = {dag.dag_id: {t.task_id for t in dag.tasks if t.queue == "signing"} for dag in bag.dags.values()}
    assert apart["quarterly_drill"] == {
        "plan.freeze",
        "seal.evidence",
        "seal.refusal",
        "sign_off.owner",
        "decide.decision",
        "teardown.sandbox",
    }
    assert apart["evidence_keys"] == {"change"} and apart["recovery_claims"]
