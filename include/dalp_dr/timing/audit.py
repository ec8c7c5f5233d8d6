"""What people did to the run in Airflow: who cleared and marked what, and why; and whether code changed meanwhile.

Airflow's own audit log says who asked for which change. A task marked as success proves nothing, and a rerun without a
reason is a step that no runbook has; either is a manual change, and a manual change is a failed drill.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan

CLEARED, MARKED = "cleared", "marked"
_CLEARS = frozenset({"post_clear_task_instances", "clear_dag_run", "clear_dag_runs", "cli_task_clear"})
_MARKS = frozenset(
    {
        "patch_task_instance",
        "patch_task_group_instances",
        "bulk_task_instances",
        "delete_task_instance",
        "patch_dag_run",
        "bulk_dag_runs",
        "delete_dag_run",
    }
)
ANY = "~"  # how Airflow's API writes "every DAG" and "every run"


@dataclass(frozen=True)
class Change:
    """One change of a run's tasks by a person. `at`: UTC, clock of Airflow's API server; `user` as Airflow names it.

    `state` is what tasks were set to, empty for a clear; `reason` the note that was given with it.
    """

    at: str
    user: str
    what: str  # CLEARED or MARKED
    tasks: tuple[str, ...]  # empty: the whole run
    state: str
    reason: str


@dataclass(frozen=True)
class Attempts:
    """How often a task ran, by Airflow's count, and the note it carries."""

    task_id: str
    tries: int
    state: str
    note: str


@dataclass(frozen=True)
class RunAudit:
    """`silent`: tasks that Airflow calls successful although their worker never said so; Airflow logs no name for a bulk change.
    None in records of a version that did not look.

    `code_then` and `code_now` are digests of DAGs, plugins and core at the plan and at the seal.
    """

    read_as: str
    changes: tuple[Change, ...]
    attempts: tuple[Attempts, ...]
    code_then: str
    code_now: str
    environment_then: str
    environment_now: str
    silent: tuple[str, ...] | None = None


def changes(dag_id: str, run_id: str, log: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    """Changes of this run in rows of Airflow's audit log (`GET /api/v2/eventLogs`), oldest first."""
    found = (change for row in log if (change := _change(dag_id, run_id, row)) is not None)
    return tuple(sorted(found, key=lambda c: c.at))


def attempts(instances: Iterable[Mapping[str, Any]]) -> tuple[Attempts, ...]:
    """Attempts from Airflow's list of task instances of the run."""
    return tuple(Attempts(str(i["task_id"]), int(i["try_number"]), str(i.get("state") or ""), str(i.get("note") or "")) for i in instances)


def silent(instances: Iterable[Mapping[str, Any]], successes: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Successful tasks without their own row in the log: a worker's success leaves one, a hand's leaves none."""
    said = {(row.get("task_id"), row.get("try_number")) for row in successes}
    return tuple(
        sorted(str(i["task_id"]) for i in instances if i.get("state") == "success" and (i["task_id"], i["try_number"]) not in said)
    )


def changed_by(found: Iterable[Change]) -> tuple[str, ...]:
    """Who cleared or marked anything; none of them may sign."""
    return tuple(sorted({change.user for change in found}))


def _change(dag_id: str, run_id: str, row: Mapping[str, Any]) -> Change | None:
    event, extra = str(row.get("event")), _extra(row)
    if event not in _CLEARS | _MARKS or not _about(dag_id, run_id, row):
        return None
    said = list(_said(extra))
    states = sorted({str(s["new_state"] if s.get("new_state") else s["state"]) for s in said if s.get("new_state") or s.get("state")})
    if event in _MARKS and not states and not event.startswith("delete"):
        return None  # a note was written, nothing more
    named = [row.get("task_id"), *(t for s in said for t in _tasks(s))]
    notes = [str(s["note"]) for s in said if s.get("note")]
    return Change(
        at=str(row.get("when")),
        user=str(row.get("owner") or ""),
        what=CLEARED if event in _CLEARS else MARKED,
        tasks=tuple(sorted({str(t) for t in named if t and t != ANY})),
        state="deleted" if event.startswith("delete") else ", ".join(states),
        reason="; ".join(notes),
    )


def _extra(row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        extra = json.loads(str(row.get("extra") or "{}"))
    except ValueError:
        return {}
    return extra if isinstance(extra, dict) else {}


def _about(dag_id: str, run_id: str, row: Mapping[str, Any]) -> bool:
    """Whether a row is about this run. One that names many runs is, unless it names others only."""
    extra = str(row.get("extra") or "")
    if row.get("event") == "cli_task_clear":
        return dag_id in extra
    if row.get("dag_id") not in (dag_id, ANY, None):
        return False
    if run_id == row.get("run_id") or run_id in extra:
        return True
    return row.get("dag_id") == dag_id and row.get("run_id") in (ANY, None) and not _names_runs(extra)


def _names_runs(extra: str) -> bool:
    return any(word in extra for word in ("dag_run_id", "entities"))


def _said(extra: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The request, and each entity of a bulk request."""
    yield extra
    for action in extra.get("actions") or ():
        if isinstance(action, Mapping):
            yield from (entity for entity in action.get("entities") or () if isinstance(entity, Mapping))


def _tasks(said: Mapping[str, Any]) -> Iterator[str]:
    """Tasks a request names: ids, or pairs of id and map index."""
    if said.get("task_id"):
        yield str(said["task_id"])
    for task in said.get("task_ids") or ():
        yield str(task[0] if isinstance(task, list) else task)


def judge_nothing_marked(facts: RunAudit, plan: DrillPlan) -> CheckResult:
    if not facts.attempts:
        return inconclusive("no task or run set to a state by hand", "Airflow told of no task of this run")
    marked = [c for c in facts.changes if c.what == MARKED]
    known = {task for change in marked for task in change.tasks}
    found = [f"{c.user} set {_named(c)} to {c.state} at {c.at}" for c in marked]
    found += [f"{task} is success, but its worker never said so" for task in facts.silent or () if task not in known]
    return expect(not found, "no task or run set to a state by hand", f"{len(found)} set by hand", found)


def judge_reruns_explained(facts: RunAudit, plan: DrillPlan) -> CheckResult:
    cleared = [c for c in facts.changes if c.what == CLEARED]
    silent = [c for c in cleared if not c.reason.strip()]
    return expect(
        not silent,
        "a note with every clear",
        f"{len(cleared)} clears, {len(silent)} without a note",
        [f"{c.user} cleared {_named(c)} at {c.at} and did not say why" for c in silent],
    )


def judge_unchanged(facts: RunAudit, plan: DrillPlan) -> CheckResult:
    """Code and environment file are, at the seal, those that the plan was made with."""
    found = []
    if not facts.code_then or facts.code_then != facts.code_now:
        found.append(f"code: {facts.code_then[:12] or 'not recorded'} at the plan, {facts.code_now[:12]} at the seal")
    if facts.environment_then != facts.environment_now or facts.environment_then != plan.environment_digest:
        found.append(f"environment file: {facts.environment_then[:12]} at the plan, {facts.environment_now[:12]} at the seal")
    return expect(not found, "the code and environment file of the plan", "changed" if found else "unchanged", found)


def _named(change: Change) -> str:
    return ", ".join(change.tasks) or "the run"
