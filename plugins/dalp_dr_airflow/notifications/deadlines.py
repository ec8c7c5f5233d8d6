"""Called when a drill misses a deadline. Tells on-call; never changes a verdict."""

from __future__ import annotations

import logging
from typing import Any

log = logging.getLogger(__name__)


def on_deadline_missed(context: dict[str, Any], level: str) -> None:
    """Writes which run missed which deadline, and what to do next."""
    run, deadline = context.get("dag_run", {}), context.get("deadline", {})
    log.error(
        "Drill %s of %s missed deadline %s (%s). Look at the running tasks; the runbook section is timing.md#rto.",
        run.get("run_id") or run.get("dag_run_id"),
        run.get("dag_id"),
        level,
        deadline.get("deadline_time"),
    )
