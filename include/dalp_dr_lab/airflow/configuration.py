"""Airflow's configuration in the lab, as environment variables: what every component and every command gets."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dalp_dr_lab.airflow.places import Places
from dalp_dr_lab.airflow.settings import ROLES, Settings


def variables(places: Places, settings: Settings, tools: Path) -> dict[str, str]:
    """Airflow's settings for a machine with two cores and for drills that kill components; `tools` holds helm."""
    return {
        "AIRFLOW_HOME": str(places.home),
        "DALP_DR_HOME": str(places.state),
        "DALP_DR_HELM": str(tools / "helm"),
        "PYTHONPATH": f"{places.checkout / 'include'}{os.pathsep}{places.checkout / 'plugins'}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(places.checkout / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(places.checkout / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",  # as many workers are forked at start
        "AIRFLOW__CORE__FERNET_KEY": settings.fernet_key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in ROLES.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(places.users),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": settings.database_url,
        "AIRFLOW__API__BASE_URL": settings.url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.web_port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": settings.api_secret,
        "AIRFLOW__API_AUTH__JWT_SECRET": settings.jwt_secret,
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # five seconds are too few on two busy cores
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        # A killed worker, triggerer or scheduler is noticed within a minute: a drill is only minutes long.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "120",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(settings.worker_log_port),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(settings.trigger_log_port),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
    }


def without(inherited: Iterable[str]) -> list[str]:
    """What a component must not inherit: another Airflow's settings, and the ban on bytecode, which slows a start."""
    return [name for name in inherited if name.startswith("AIRFLOW") or name == "PYTHONDONTWRITEBYTECODE"]
