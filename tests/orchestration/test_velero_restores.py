"""The restore of a namespace: adopted, tried again under a new name, recorded before anything is touched, never left behind."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from dalp_dr import naming
from dalp_dr.errors import FactError, RefusedError
from dalp_dr_airflow.errors import CheckFailedError, CheckInconclusiveError
from dalp_dr_airflow.hooks.errors import Missing
from dalp_dr_airflow.hooks.kubernetes_paths import path_of
from dalp_dr_airflow.operators.velero import ATTEMPTS, VeleroRestoreOperator
from fake_outside import RESTARTED, Outside
from velero_sample import a_workload


def restore(outside: Outside, role: str = "app") -> str:
    """The name of the Restore the operator waits for."""
    with pytest.raises(TaskDeferred) as raised:
        VeleroRestoreOperator(task_id="velero", role=role).execute(outside.run.context("restore.velero"))
    return str(raised.value.trigger.name)


def test_the_first_try_makes_policy_modifiers_and_restore(outside: Outside) -> None:
    assert restore(outside) == outside.name(1)
    assert outside.velero.made == [outside.name(1)]
    assert [p.rpartition("/")[2] for done, p in outside.sandbox.done if done == "create"] == [
        f"{outside.name(1)}-policy",
        f"{outside.name(1)}-modifiers",
    ]


@pytest.mark.parametrize("phase", [None, "InProgress", "Finalizing", "Completed"])
def test_a_rerun_adopts_the_restore_that_exists(outside: Outside, phase: str | None) -> None:
    outside.add_restore(1, phase)
    assert restore(outside) == outside.name(1)
    assert (outside.velero.made, outside.sandbox.done) == ([], [])


@pytest.mark.parametrize("phase", ["Failed", "PartiallyFailed", "FailedValidation"])
def test_after_a_failure_the_next_try_has_a_name_of_its_own(outside: Outside, phase: str) -> None:
    outside.add_restore(1, "Failed")
    outside.add_restore(2, phase)
    assert restore(outside) == outside.name(3)
    assert outside.velero.made == [outside.name(3)]


def test_numbers_are_compared_as_numbers(outside: Outside) -> None:
    for number in (9, 10):
        outside.add_restore(number, "Completed")
    assert restore(outside) == outside.name(10)


def test_a_restore_of_the_same_name_that_is_not_this_drills_is_not_adopted(outside: Outside) -> None:
    outside.add_restore(1, "Completed", labels={})
    with pytest.raises(RefusedError, match=f"Restore {outside.name(1)} exists and is not this drill's"):
        VeleroRestoreOperator(task_id="velero", role="app").execute(outside.run.context())
    assert outside.velero.made == []


def test_tries_come_to_an_end(outside: Outside) -> None:
    outside.add_restore(ATTEMPTS, "Failed")
    with pytest.raises(FactError, match=f"{ATTEMPTS} restores of app failed"):
        VeleroRestoreOperator(task_id="velero", role="app").execute(outside.run.context())
    assert outside.velero.made == []


@pytest.mark.parametrize("phase", ["InProgress", None])
def test_somebody_elses_restore_goes_first(outside: Outside, phase: str | None) -> None:
    outside.velero.found["production"] = {
        "metadata": {"name": "production"},
        "spec": {},
        "status": {"phase": phase} if phase else {},
    }
    with pytest.raises(RefusedError, match="Velero is restoring production, which is not this drill's"):
        VeleroRestoreOperator(task_id="velero", role="app").execute(outside.run.context())
    assert outside.velero.made == []


def finish(outside: Outside, status: str = "done", message: str = "") -> Any:
    event = {"name": outside.name(1), "status": status, "message": message}
    operator = VeleroRestoreOperator(task_id="velero", role="app")
    return operator.execute_complete(outside.run.context("restore.velero"), event, "2026-10-06T06:01:00Z")


def a_held_pod(outside: Outside) -> dict[str, Any]:
    spec = {"initContainers": [{"name": naming.HOLD}], "containers": []}
    place = {"name": "dalp-worker-0", "namespace": outside.run.plan.namespace("app"), "uid": "u-1"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": place, "spec": spec, "status": {}}


def test_a_finished_restore_is_recorded_and_what_it_made_is_held(outside: Outside) -> None:
    outside.add_restore(1, "Completed")
    workload = a_workload("Deployment", "dalp-dapi")
    workload["metadata"]["namespace"] = outside.run.plan.namespace("app")
    pod = a_held_pod(outside)
    outside.sandbox.put(workload, pod)
    made = finish(outside)
    assert [(set(small), small["verdict"]) for small in made] == [({"uri", "sha256", "size", "verdict"}, "pass")] * 2
    held, record = sorted(outside.records(), key=lambda r: r.kind)
    assert held.facts and held.facts["pods"][0]["name"] == "dalp-worker-0", "seen before it is removed"
    assert (record.kind, record.subject, record.began_at) == ("restore_run", "app", "2026-10-06T06:01:00Z")
    assert outside.sandbox.done[:2] == [("patch", path_of(workload)), ("delete", path_of(pod))]
    assert outside.velero.cancelled == []


def test_a_bad_restore_is_recorded_fails_and_is_not_asked_again(outside: Outside) -> None:
    outside.add_restore(1, "PartiallyFailed")
    with pytest.raises(CheckFailedError, match="restore_completed"):
        finish(outside)
    assert {r.kind for r in outside.records()} == {"restore_run", "held_pods"}


def test_a_restore_that_takes_too_long_is_cancelled_or_the_next_one_waits_behind_it(outside: Outside) -> None:
    outside.add_restore(1, "InProgress")
    with pytest.raises(CheckInconclusiveError, match="InProgress; Nothing moved for 60 s"):
        finish(outside, "timeout", "Nothing moved for 60 s.")
    assert outside.velero.cancelled == [outside.name(1)]


def test_what_a_restore_left_is_recorded_before_anything_is_touched(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that does not answer when the pods are to be held takes no evidence along."""

    def unreachable(*asked: Any) -> Any:
        raise FactError("nobody answers")

    outside.add_restore(1, "InProgress")
    monkeypatch.setattr(outside.velero, "end", unreachable)
    with pytest.raises(FactError, match="nobody answers"):
        finish(outside, "timeout")
    assert {(r.kind, r.facts is not None) for r in outside.records()} == {("restore_run", True), ("held_pods", True)}


def test_a_restore_that_a_restart_of_velero_ended_is_tried_once_more_and_both_are_kept(outside: Outside) -> None:
    outside.add_restore(1, "Failed")
    outside.velero.found[outside.name(1)]["status"]["failureReason"] = RESTARTED
    pod = a_held_pod(outside)
    outside.sandbox.put(pod)
    with pytest.raises(TaskDeferred) as raised:
        finish(outside, "failed")
    assert (raised.value.trigger.name, outside.velero.made) == (outside.name(2), [outside.name(2)])
    assert ("delete", path_of(pod)) in outside.sandbox.done, "Velero fills no pod that is there already"
    assert outside.records() == [], "one record a task: it tells of both"
    outside.add_restore(2, "Completed")
    event = {"name": outside.name(2), "status": "done", "message": ""}
    operator = VeleroRestoreOperator(task_id="velero", role="app")
    with pytest.raises(CheckFailedError, match="restore_undisturbed"):
        operator.execute_complete(outside.run.context("restore.velero"), event, **(raised.value.kwargs or {}))
    [record] = [r for r in outside.records() if r.kind == "restore_run"]
    assert record.facts is not None
    assert record.facts["earlier_attempts"] == [f"{outside.name(1)}: Failed"]
    assert record.facts["interrupted"] == [f"{outside.name(1)}: Failed: {RESTARTED}"]
    assert record.began_at == "2026-10-06T06:01:00Z", "the time counts from the first"


def test_velero_may_restart_once(outside: Outside) -> None:
    outside.add_restore(1, "Failed")
    outside.velero.found[outside.name(1)]["status"]["failureReason"] = RESTARTED
    operator, event = VeleroRestoreOperator(task_id="velero", role="app"), {"name": outside.name(1), "status": "failed"}
    with pytest.raises(CheckFailedError, match="restore_completed"):
        operator.execute_complete(outside.run.context("restore.velero"), event, "2026-10-06T06:01:00Z", ["an earlier one"])
    assert outside.velero.made == []


def test_a_restore_that_failed_by_itself_is_not_tried_again(outside: Outside) -> None:
    outside.add_restore(1, "Failed")
    with pytest.raises(CheckFailedError, match="restore_completed"):
        finish(outside, "failed")
    assert outside.velero.made == []


def test_a_restore_whose_files_cannot_be_read_is_inconclusive(outside: Outside) -> None:
    def gone(name: str) -> Any:
        raise Missing("The results are not there.", "")

    outside.add_restore(1, "Completed")
    outside.store.restore_results = gone
    with pytest.raises(CheckInconclusiveError, match="restore_completed"):
        finish(outside)
    [record] = [r for r in outside.records() if r.kind == "restore_run"]
    assert record.facts is not None and record.facts["results_read"] is False
