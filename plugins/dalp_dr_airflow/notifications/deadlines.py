"""Called when a drill misses a deadline. Tells on-call; never changes a verdict."""

from __future__ import annotations

import logging
from typing import Any

from dalp_dr_airflow.notifications.page import page, pages_url

log = logging.getLogger(__name__)
STEP = "Look at the tasks that run or wait; the drill goes on, and its verdict is its own."


def on_deadline_missed(context: dict[str, Any], level: str) -> None:
    """Tells which run missed which deadline, with a link and what to do next. Whatever goes wrong here is logged and goes no further."""
    run, deadline = context.get("dag_run") or {}, context.get("deadline") or {}
    dag_id, run_id = str(run.get("dag_id")), str(run.get("run_id") or run.get("dag_run_id"))
    what = f"Drill {run_id} of {dag_id} missed deadline {level} ({deadline.get('deadline_time')})"
    severity = "critical" if level.endswith("breach") else "warning"
    environment = str((run.get("conf") or {}).get("environment") or "")
    try:
        link = pages_url(f"run?dag_id={dag_id}&run_id={run_id}")
        page(run_id, environment, what, [], STEP, "timing.md#rto", severity, link)
    except Exception:
        log.exception("%s. On-call was not told.", what)
