"""A check task records first, judges later, and shows its verdict as its state; the gate refuses; a gatherer's error is a record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from dalp_dr.errors import FactError
from dalp_dr.evidence import records
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.errors import CheckFailedError, CheckInconclusiveError, DrillRefusedError
from dalp_dr_airflow.operators.base import XCOM_EVIDENCE, DrillOperator, attempt
from dalp_dr_airflow.operators.preflight import PreflightGateOperator
from fake_run import FakeRun
from synthetic_drill import GOOD, CountFacts, a_record, good_records, with_record

BAD = CountFacts(3, 2, ("one is missing",))


class CountOperator(DrillOperator):
    """Records what it is given."""

    def __init__(self, *, found: Iterable[Gathered], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.found = found

    def gather(self, drill: Drill, context: Any) -> Iterable[Gathered]:
        return self.found


def stored(run: FakeRun) -> list[records.Record]:
    keys = run.store.list(f"drills/{run.plan.drill_id}/records/")
    return [records.decode(run.store.get(key), key) for key in keys]


def test_a_good_answer_is_recorded_and_the_task_succeeds(run: FakeRun) -> None:
    run.freeze()
    context = run.context("verify.telemetry")
    [small] = CountOperator(task_id="count", found=[Gathered("telemetry", GOOD)]).execute(context)
    [record] = stored(run)
    assert (record.kind, record.task_id, record.attempt) == ("telemetry", "verify.telemetry", 1)
    assert (small["verdict"], small["uri"]) == ("pass", f"drills/{run.plan.drill_id}/records/{record.name}")
    assert context["ti"].pushed == {XCOM_EVIDENCE: [small]}


def test_xcom_holds_no_facts(run: FakeRun) -> None:
    run.freeze()
    [small] = CountOperator(task_id="count", found=[Gathered("telemetry", GOOD)]).execute(run.context())
    assert set(small) == {"uri", "sha256", "size", "verdict"}


def test_a_bad_answer_is_recorded_and_the_task_fails_for_good(run: FakeRun) -> None:
    run.freeze()
    with pytest.raises(CheckFailedError, match=r"telemetry_queryable.*2 of 3") as raised:
        CountOperator(task_id="count", found=[Gathered("telemetry", BAD)]).execute(run.context())
    assert isinstance(raised.value, AirflowFailException), "a failed check is not retried"
    assert [r.kind for r in stored(run)] == ["telemetry"]


def test_no_answer_is_recorded_with_its_reason_and_asked_again(run: FakeRun) -> None:
    run.freeze()

    def nobody() -> Gathered:
        raise FactError("The service does not answer.", "Look at its log.")

    with pytest.raises(CheckInconclusiveError, match="does not answer") as raised:
        CountOperator(task_id="count", found=[attempt("telemetry", nobody)]).execute(run.context())
    assert not isinstance(raised.value, AirflowFailException), "an inconclusive check is retried"
    [record] = stored(run)
    assert (record.facts, record.error) == (None, "The service does not answer. Look at its log.")


def test_one_bad_answer_hides_no_other(run: FakeRun) -> None:
    run.freeze()
    with pytest.raises(CheckFailedError, match=r"telemetry_queryable.*; .*configuration_rebuilt"):
        CountOperator(task_id="count", found=[Gathered("telemetry", BAD), Gathered("configuration", BAD)]).execute(run.context())
    assert {r.kind for r in stored(run)} == {"telemetry", "configuration"}


def test_a_task_that_recorded_nothing_proves_nothing(run: FakeRun) -> None:
    run.freeze()
    with pytest.raises(CheckInconclusiveError, match="nothing was recorded"):
        CountOperator(task_id="count", found=[]).execute(run.context())


def test_both_attempts_stay(run: FakeRun) -> None:
    run.freeze()
    with pytest.raises(CheckFailedError):
        CountOperator(task_id="count", found=[Gathered("telemetry", BAD)]).execute(run.context(try_number=1))
    CountOperator(task_id="count", found=[Gathered("telemetry", GOOD)]).execute(run.context(try_number=2))
    assert [r.attempt for r in stored(run) if r.kind == "telemetry"] == [1, 2]


def test_secrets_do_not_reach_the_evidence(run: FakeRun) -> None:
    run.freeze()
    raw = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"password": "aHVudGVyMg=="}}
    CountOperator(task_id="count", found=[Gathered("telemetry", GOOD, captures={"secret": ("kubernetes: secrets", raw)})]).execute(
        run.context()
    )
    kept = b"".join(run.store.get(key) for key in run.store.list("drills/"))
    assert b"aHVudGVyMg" not in kept


@pytest.mark.parametrize(
    ("facts", "said"),
    [(BAD, "2 of 3"), (None, "could not be asked")],
    ids=["a refusing check failed", "a refusing check could not be answered"],
)
def test_the_gate_refuses(run: FakeRun, facts: CountFacts | None, said: str) -> None:
    run.freeze()
    run.record(*with_record(good_records(run.plan), a_record(run.plan, "backup", "app", facts)))
    with pytest.raises(DrillRefusedError, match=rf"backup_complete \(app\): .*{said}"):
        PreflightGateOperator(task_id="gate").execute(run.context())


def test_the_gate_refuses_what_nobody_asked(run: FakeRun) -> None:
    run.freeze()
    with pytest.raises(DrillRefusedError, match="not run"):
        PreflightGateOperator(task_id="gate").execute(run.context())


def test_the_gate_lets_a_finding_go_on_that_refuses_nothing(good_run: FakeRun) -> None:
    good_run.record(a_record(good_run.plan, "configuration", facts=BAD, attempt=2))
    PreflightGateOperator(task_id="gate").execute(good_run.context())


def test_the_gate_does_nothing_in_a_dry_run(run: FakeRun) -> None:
    run.params["dry_run"] = True
    with pytest.raises(AirflowSkipException):
        PreflightGateOperator(task_id="gate").execute(run.context())
