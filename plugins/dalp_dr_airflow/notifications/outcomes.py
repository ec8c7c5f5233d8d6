"""Called when a drill ended FIX, or when the hourly watch turned red. Tells on-call why and what next; never changes a verdict."""

from __future__ import annotations

import json
import logging
from typing import Any

from dalp_dr import naming
from dalp_dr_airflow.notifications.page import page, pages_url
from dalp_dr_airflow.operators.seal import home

log = logging.getLogger(__name__)
NO_SUMMARY = "Read the log of the task that decides; clear it with a note."


def on_not_ready(context: dict[str, Any]) -> None:
    """The reasons of the decision as summary.json has them, the first one's next step and runbook, and the drill's page."""
    try:
        run = context["dag_run"]
        drill_id = naming.drill_id(run.dag_id, run.run_id, run.run_after)
        summary = _summary(drill_id)
        reasons = summary.get("reasons") or []
        first = reasons[0] if reasons else {}
        found = [f"{r.get('check')} ({r.get('subject') or r.get('surface')}): {r.get('observed')}" for r in reasons]
        page(
            drill_id,
            str(context["params"].get("environment") or ""),
            f"Drill {drill_id} ended {summary.get('decision') or 'without a decision'}",
            found or [str(context.get("exception"))],
            str(first.get("next_step") or NO_SUMMARY),
            str(first.get("runbook") or "drill.md#refused"),
            "warning",
            pages_url(f"{drill_id}/"),
        )
    except Exception:
        log.exception("On-call was not told that the drill is not READY; the decision stands.")


def posture_turned_red(environment: str, posture_id: str, rows: list[dict[str, Any]]) -> None:
    """The rows that did not pass since this look, worst first."""
    try:
        first = rows[0]
        page(
            posture_id,
            environment,
            f"The hourly watch of {environment} found what would spoil a recovery",
            [f"{r['check']} ({r['subject']}): {r['observed']}" for r in rows],
            str(first["next_step"]),
            str(first["runbook"]),
            "warning",
            pages_url("posture"),
        )
    except Exception:
        log.exception("On-call was not told of the posture of %s; the verdict stands.", environment)


def _summary(drill_id: str) -> dict[str, Any]:
    try:
        found = json.loads((home() / "drills" / drill_id / "summary.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
