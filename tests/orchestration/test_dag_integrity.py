"""The DAGs as Airflow reads them: they load, survive serialization, and their graph says what the project promises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dalp_dr.model.check import Stage
from dalp_dr_airflow.operators.base import DrillOperator

DAGS = ("quarterly_drill", "surface_check", "annual_full_test")
LOSS = {"simulate", "rebuild", "report", "targets"}
STAGES = [s.value for s in Stage]


@pytest.fixture(params=DAGS)
def dag(request: pytest.FixtureRequest, dagbag: Any) -> Any:
    return dagbag.dags[request.param]


def test_every_file_loads_without_a_warning(dagbag: Any) -> None:
    assert dagbag.import_errors == {}
    assert {file: [str(w) for w in warned] for file, warned in dagbag.captured_warnings.items() if warned} == {}
    assert set(DAGS) <= set(dagbag.dags)


def test_a_dag_survives_serialization(dag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    again = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    assert sorted(again.task_ids) == sorted(dag.task_ids)


def test_the_decision_is_the_only_leaf(dag: Any) -> None:
    leaves = {t.task_id for t in dag.tasks if not t.downstream_task_ids and not t.is_teardown}
    assert leaves == {"decide.decision"}


def test_the_task_groups_are_the_stages(dag: Any) -> None:
    groups = {t.task_id.split(".")[0] for t in dag.tasks}
    wanted = set(STAGES) - {"surface_check": {"sign_off", "route_switch"} | LOSS, "quarterly_drill": LOSS}.get(dag.dag_id, set())
    assert groups == wanted


def test_no_stage_looks_ahead(dag: Any) -> None:
    """Every edge leads to the same or a later stage; teardown hangs on isolate and seal."""
    edges = [(t.task_id.split(".")[0], d.split(".")[0]) for t in dag.tasks for d in t.downstream_task_ids]
    assert [(a, b) for a, b in edges if STAGES.index(a) > STAGES.index(b)] == []


def test_every_setup_has_its_teardown(dag: Any) -> None:
    setups = {t.task_id for t in dag.tasks if t.is_setup}
    torn_down = {u for t in dag.tasks if t.is_teardown for u in t.upstream_task_ids} & setups
    assert setups == torn_down == {"isolate.sandbox"}


def test_a_drill_that_never_got_its_sandbox_is_sealed_all_the_same(dag: Any) -> None:
    """Airflow runs nothing between a setup and its teardown when the setup did not succeed, whatever the trigger rule."""
    refusal = dag.get_task("seal.refusal")
    assert list(refusal.get_upstreams_only_setups()) == []
    assert (refusal.trigger_rule, refusal.upstream_task_ids) == ("all_failed", {"seal.evidence"})
    assert "seal.refusal" in dag.get_task("decide.decision").upstream_task_ids


def test_a_failed_teardown_does_not_decide(dag: Any) -> None:
    assert [t.task_id for t in dag.tasks if t.is_teardown and t.on_failure_fail_dagrun] == []


def test_one_drill_at_a_time(dag: Any) -> None:
    assert dag.max_active_runs == 1
    assert not dag.catchup


def test_unpausing_starts_nothing(dag: Any) -> None:
    """A cron DAG with a start date in the past runs its last slot at once."""
    assert dag.start_date is None
    assert [t.task_id for t in dag.tasks if t.start_date is not None] == []


def test_the_quarterly_drill_runs_on_the_first_tuesday_of_a_quarter(dagbag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import pendulum
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    from dalp_dr_airflow.timetables import quarters

    timetable = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dagbag.dags["quarterly_drill"])).timetable
    clock = [pendulum.datetime(2026, 1, 1, tz="UTC")]
    monkeypatch.setattr(quarters, "now", lambda: clock[-1])
    found = []
    for _ in range(4):
        info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=TimeRestriction(None, None, False))
        found.append(info.run_after.isoformat())
        clock.append(info.run_after.add(minutes=11))
    assert found == ["2026-01-06T06:00:00+00:00", "2026-04-07T06:00:00+00:00", "2026-07-07T06:00:00+00:00", "2026-10-06T06:00:00+00:00"]


def test_deadlines_stand_on_our_own_reference(dag: Any) -> None:
    """Airflow's queued-at reference cannot be cleared and moves with a rerun."""
    alerts = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
    assert {a.name for a in alerts} == {"rto-warning", "rto-breach"}
    assert {type(a.reference).__name__ for a in alerts} == {"DrillStartDeadline"}


def test_every_task_has_a_limit(dag: Any) -> None:
    unlimited = [t.task_id for t in dag.tasks if not t.execution_timeout and not getattr(t, "response_timeout", None)]
    assert unlimited == []


def test_every_wait_has_a_deadline(dag: Any) -> None:
    """Deferring operators give their wait less time than their own timeout."""
    waits = {t.task_id: t.wait_minutes for t in dag.tasks if hasattr(t, "wait_minutes")}
    assert set(waits) >= {"restore.database", "restore.kubernetes_app"}
    assert [task for task, minutes in waits.items() if not 0 < minutes <= 60] == []


def test_whoever_asks_outside_is_asked_again(dag: Any) -> None:
    """Gatherers are retried by the policy. What only reads records is not, and a failed teardown waits for on-call."""
    once = {t.task_id for t in dag.tasks if t.retries == 0}
    assert once == {"preflight.gate", "measure.timing", "decide.decision", "teardown.sandbox"}
    assert [t.task_id for t in dag.tasks if isinstance(t, DrillOperator) and t.retries and not t.retry_policy] == []


def test_a_retry_says_what_it_waits_for(dag: Any) -> None:
    policies = {id(t.retry_policy): t.retry_policy for t in dag.tasks if t.retry_policy}
    assert policies
    assert [rule for policy in policies.values() for rule in policy.rules if not rule.reason] == []


def test_silence_is_not_approval(dagbag: Any) -> None:
    asked = dagbag.dags["quarterly_drill"].task_dict["sign_off.owner"]
    assert not asked.defaults
    assert asked.response_timeout >= timedelta(days=1)
    assert asked.assigned_users
    assert asked.retry_policy is None


def test_the_form_can_be_sent_as_it_stands(dag: Any) -> None:
    dag.params.validate()
    assert {"environment", "target_policy", "target_value", "keep_sandbox", "dry_run", "reason"} <= set(dag.params)


def test_the_form_refuses_what_no_drill_can_do(dag: Any) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        dag.params["target_policy"] = "yesterday"


def test_a_person_can_read_what_it_is(dag: Any) -> None:
    assert dag.doc_md
    assert dag.description
    assert dag.tags
    assert {t.owner for t in dag.tasks} == {"dalp-recovery-drill"}


def test_joins_learn_from_what_failed_but_not_in_an_unproven_sandbox(dag: Any) -> None:
    """Every task after the canaries that does not need all before it still needs the canaries."""
    proven = "isolate.canaries"
    for task in dag.tasks:
        stage = task.task_id.split(".")[0]
        if stage in {"restore", "verify", "start", "reconcile", "measure"}:
            assert proven in task.upstream_task_ids, task.task_id


def test_deadlines_lie_inside_the_drill(dag: Any) -> None:
    alerts = sorted((a for a in dag.deadline), key=lambda a: a.interval)
    assert [a.name for a in alerts] == ["rto-warning", "rto-breach"]
    assert timedelta() < alerts[0].interval < alerts[1].interval


def test_every_moment_of_a_crash_is_a_task_of_the_drill(dagbag: Any) -> None:
    from dalp_dr_lab.crashes import registry

    moments = {one.moment.task_id for one in registry.CRASHES.values()}
    assert moments <= set(dagbag.dags["quarterly_drill"].task_ids)
