"""What all drill DAGs have in common: environments, form, retries with their reasons, deadlines."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, DeadlineAlert, ExceptionRetryPolicy, Param, RetryAction, RetryRule, SyncCallback

from dalp_dr.model.check import Surface
from dalp_dr.model.environment import Environment
from dalp_dr.posture.calendar import QUARTER_MONTHS
from dalp_dr_airflow.deadlines import DrillStartDeadline
from dalp_dr_airflow.drill import INCLUDE, environment_of
from dalp_dr_airflow.notifications.deadlines import on_deadline_missed
from dalp_dr_airflow.timetables.quarters import DrillCalendarTimetable

RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=["dalp_dr.errors.InputError", "dalp_dr.errors.RefusedError"],
            action=RetryAction.FAIL,
            reason="a person must change something first",
        ),
        RetryRule(
            exception=["dalp_dr_airflow.errors.CheckInconclusiveError", "dalp_dr.errors.FactError"],
            action=RetryAction.RETRY,
            retry_delay=timedelta(seconds=10),
            reason="waiting for an outside system that did not answer",
        ),
        RetryRule(
            exception=["dalp_dr.errors.EvidenceError"],
            action=RetryAction.RETRY,
            retry_delay=timedelta(seconds=20),
            reason="waiting for the evidence store",
        ),
    ]
)
DEFAULTS: dict[str, Any] = {
    "owner": "dalp-recovery-drill",
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_policy": RETRIES,
    "execution_timeout": timedelta(minutes=30),
}


def where_the_key_is(*tasks: BaseOperator) -> None:
    """Runs the tasks that sign on a queue of their own, when there is one: only its workers need the signing key."""
    if queue := os.environ.get("DALP_DR_SIGNING_QUEUE"):
        for task in tasks:
            task.queue = queue


def environments() -> list[str]:
    """Names of the environment files."""
    return sorted(p.stem for p in (INCLUDE / "environments").glob("*.yaml"))


def default_environment() -> Environment:
    """The first environment; a run names its own in the form."""
    return environment_of(environments()[0])


def calendar(months: tuple[int, ...] = QUARTER_MONTHS) -> DrillCalendarTimetable:
    """The default environment's drill calendar, for the given months."""
    return DrillCalendarTimetable(default_environment().calendar, months)


def form(surfaces: bool = False, separate: bool = False) -> dict[str, Param]:
    """Fields of the trigger form. `separate`: the first environment with a recovery cluster of its own is proposed."""
    names = environments()
    proposed = next((n for n in names if separate and environment_of(n).cluster == "separate"), names[0])
    fields = {
        "environment": Param(proposed, enum=names, title="Environment", description="File in include/environments"),
        "target_policy": Param(
            "latest",
            enum=["latest", "random", "edge", "timestamp"],
            title="Recovery target",
            description="latest: the last archived transaction; random or edge: in the recoverable window",
        ),
        "target_value": Param(None, type=["null", "string"], title="Time for policy timestamp", format="date-time"),
        "keep_sandbox": Param(False, type="boolean", title="Keep the sandbox after the drill"),
        "dry_run": Param(False, type="boolean", title="Dry run", description="Say what would be done and what it costs; create nothing"),
        "reason": Param("", type=["null", "string"], title="Why this drill"),
    }
    if not surfaces:
        fields["route_switch"] = Param(
            separate,
            type="boolean",
            title="Rehearse the route switch",
            description="Move the drill's public hosts to the restored stack and back; only such a drill earns a claim",
        )
    if surfaces:
        known = [s.value for s in Surface]
        fields["surfaces"] = Param(
            ["database"],
            type="array",
            items={"type": "string", "enum": known},
            examples=known,
            title="Surfaces to check",
            minItems=1,
            maxItems=2,
            uniqueItems=True,
        )
    return fields


def deadlines() -> list[DeadlineAlert]:
    """Warning at three quarters of the RTO target, breach at the target; a rerun moves neither. The verdict depends on none."""
    seconds = default_environment().targets.rto_seconds
    return [
        DeadlineAlert(
            name=name,
            reference=DrillStartDeadline(),
            interval=timedelta(seconds=share * seconds),
            callback=SyncCallback(on_deadline_missed, kwargs={"level": name}),
        )
        for name, share in (("rto-warning", 0.75), ("rto-breach", 1.0))
    ]


def roles() -> list[str]:
    """Roles of the default environment's namespaces, the database's first."""
    environment = default_environment()
    return sorted(
        (n.role for n in environment.source.namespaces),
        key=lambda role: environment.source.namespace(role).name != environment.database.namespace,
    )


def owners() -> list[str]:
    """Who may sign off: the owners of all environments; the decision asks for an owner of the run's own."""
    return sorted({owner.user for name in environments() for owner in environment_of(name).owners})
