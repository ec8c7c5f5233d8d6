"""Rows of Airflow's audit log as it writes them: whose hand is seen, and what does not count."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.model.check import Verdict
from dalp_dr.timing import audit
from synthetic_drill import a_plan

PLAN = a_plan()
DAG, RUN = PLAN.dag_id, PLAN.run_id
CLEAN = audit.RunAudit(
    "viewer", (), (audit.Attempts("plan.freeze", 1, "success", ""),), "c" * 64, "c" * 64, PLAN.environment_digest, PLAN.environment_digest
)


def row(event: str, extra: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    said = {"method": "POST", **(extra or {})}
    whole = {"when": "2026-10-06T06:30:00Z", "event": event, "owner": "oscar", "dag_id": DAG, "run_id": RUN, "task_id": None}
    return {**whole, "extra": json.dumps(said), **changes}


def entities(*found: dict[str, Any]) -> dict[str, Any]:
    return {"actions": [{"action": "update", "entities": list(found)}]}


SEEN = {
    "a clear with its reason": (
        row("post_clear_task_instances", {"task_ids": ["verify.volumes"], "note": "store was down"}),
        (audit.CLEARED, ("verify.volumes",), "", "store was down"),
    ),
    "a clear without one": (
        row("post_clear_task_instances", {"task_ids": [["verify.volumes", -1]]}),
        (audit.CLEARED, ("verify.volumes",), "", ""),
    ),
    "a clear of the whole run": (row("clear_dag_run", {"note": "again"}), (audit.CLEARED, (), "", "again")),
    "a clear that names no run, so every run": (row("post_clear_task_instances", {}, run_id=None), (audit.CLEARED, (), "", "")),
    "a clear from the command line": (
        row("cli_task_clear", {"full_command": f"['airflow', 'tasks', 'clear', '{DAG}']"}, dag_id=None, run_id=None, owner="root"),
        (audit.CLEARED, (), "", ""),
    ),
    "a task marked as success": (
        row("patch_task_instance", {"new_state": "success"}, task_id="verify.volumes"),
        (audit.MARKED, ("verify.volumes",), "success", ""),
    ),
    "many marked at once": (
        row("bulk_task_instances", entities({"task_id": "a", "new_state": "success"}, {"task_id": "b", "new_state": "success"})),
        (audit.MARKED, ("a", "b"), "success", ""),
    ),
    "many of any run": (
        row(
            "bulk_task_instances",
            entities({"dag_id": DAG, "dag_run_id": RUN, "task_id": "a", "new_state": "success"}),
            dag_id="~",
            run_id="~",
        ),
        (audit.MARKED, ("a",), "success", ""),
    ),
    "a task deleted": (row("delete_task_instance", task_id="a"), (audit.MARKED, ("a",), "deleted", "")),
    "the run marked": (row("patch_dag_run", {"state": "success"}), (audit.MARKED, (), "success", "")),
}


@pytest.mark.parametrize(("found", "expected"), SEEN.values(), ids=SEEN.keys())
def test_is_seen(found: dict[str, Any], expected: tuple[Any, ...]) -> None:
    (change,) = audit.changes(DAG, RUN, [found])
    assert (change.what, change.tasks, change.state, change.reason) == expected
    assert audit.changed_by([change]) == (found["owner"],)


NOT_SEEN = {
    "another run": row("post_clear_task_instances", {"dag_run_id": "manual__2"}, run_id="manual__2"),
    "another run of many": row("bulk_task_instances", entities({"dag_run_id": "manual__2", "new_state": "success"}), run_id="~"),
    "another workflow": row("post_clear_task_instances", {}, dag_id="other"),
    "a note": row("patch_task_instance", {"note": "looked at it"}, task_id="a"),
    "the trigger": row("trigger_dag_run"),
    "the owner's answer": row("update_hitl_detail", {"chosen_options": ["Approve"]}),
    "a task's own change": row("success", owner="dalp-recovery-drill"),
}


@pytest.mark.parametrize("found", NOT_SEEN.values(), ids=NOT_SEEN.keys())
def test_does_not_count(found: dict[str, Any]) -> None:
    assert audit.changes(DAG, RUN, [found]) == ()


def test_text_that_is_no_json_hides_nothing() -> None:
    (change,) = audit.changes(DAG, RUN, [row("clear_dag_run") | {"extra": "not json"}])
    assert change.what == audit.CLEARED


CLEARED = audit.Change("2026-10-06T06:30:00Z", "oscar", audit.CLEARED, ("a",), "", "store was down")
JUDGED = {
    "nobody touched it": (CLEAN, set()),
    "a clear with its reason": (replace(CLEAN, changes=(CLEARED,)), set()),
    "a clear without": (replace(CLEAN, changes=(replace(CLEARED, reason=" "),)), {"reruns_explained"}),
    "marked": (replace(CLEAN, changes=(replace(CLEARED, what=audit.MARKED, state="success"),)), {"no_task_marked"}),
    "marked by a request that leaves no name": (replace(CLEAN, silent=("verify.volumes",)), {"no_task_marked"}),
    "Airflow told of no task": (replace(CLEAN, attempts=()), {"no_task_marked"}),
    "code edited": (replace(CLEAN, code_now="d" * 64), {"code_unchanged"}),
    "code not recorded": (replace(CLEAN, code_then="", code_now=""), {"code_unchanged"}),
    "environment edited": (replace(CLEAN, environment_now="d" * 64), {"code_unchanged"}),
}
JUDGES = {
    "no_task_marked": audit.judge_nothing_marked,
    "reruns_explained": audit.judge_reruns_explained,
    "code_unchanged": audit.judge_unchanged,
}


@pytest.mark.parametrize(("facts", "broken"), JUDGED.values(), ids=JUDGED.keys())
def test_what_fails(facts: audit.RunAudit, broken: set[str]) -> None:
    assert {name for name, judge in JUDGES.items() if judge(facts, PLAN).verdict is not Verdict.PASS} == broken


def test_a_success_that_no_worker_reported_is_seen() -> None:
    """Airflow's bulk requests leave no row of their own; the missing row of the worker tells."""
    instances = [
        {"task_id": "a", "try_number": 1, "state": "success"},
        {"task_id": "b", "try_number": 2, "state": "success"},
        {"task_id": "c", "try_number": 1, "state": "failed"},
    ]
    rows = [{"event": "success", "task_id": "a", "try_number": 1}, {"event": "success", "task_id": "b", "try_number": 1}]
    assert audit.silent(instances, rows) == ("b",)
