"""The watch of one environment: every surface read on its own, then one task that says how it stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import TaskGroup, TriggerRule

from dalp_dr_airflow.assets import POSTURE
from dalp_dr_airflow.drill import environment_of
from dalp_dr_airflow.operators.posture import (
    ConfigurationPostureOperator,
    DatabasePostureOperator,
    DrillPostureOperator,
    EscrowPostureOperator,
    ObjectPostureOperator,
    ResourcePostureOperator,
)
from dalp_dr_airflow.operators.posture_report import PostureReportOperator
from dalp_dr_airflow.task_groups import settings

LASTS_AT_MOST = timedelta(minutes=45)  # the next look follows after an hour
DEFAULTS: dict[str, Any] = {**settings.DEFAULTS, "retries": 1, "execution_timeout": timedelta(minutes=10)}


def watched() -> list[str]:
    """The environments that are watched."""
    return [name for name in settings.environments() if environment_of(name).posture.watched]


def watch(name: str) -> None:
    """Builds the tasks of one environment inside the current DAG."""
    with TaskGroup(name.replace("-", "_"), tooltip=f"Would the backups of {name} still allow a recovery?"):
        read = [
            DatabasePostureOperator(task_id="database", environment=name),
            *(
                ResourcePostureOperator(task_id=f"kubernetes_{n.role}", environment=name, role=n.role)
                for n in environment_of(name).source.namespaces
            ),
            ObjectPostureOperator(task_id="object_storage", environment=name),
            ConfigurationPostureOperator(task_id="configuration", environment=name),
            DrillPostureOperator(task_id="drills", environment=name),
            *([EscrowPostureOperator(task_id="escrow", environment=name)] if environment_of(name).escrow else []),
        ]
        stands = PostureReportOperator(task_id="posture", environment=name, trigger_rule=TriggerRule.ALL_DONE, outlets=[POSTURE], retries=0)
        read >> stands
