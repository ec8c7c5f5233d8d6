"""A page to on-call: production may be touched. A page that is not taken is an error in the log and changes no verdict."""

from __future__ import annotations

import logging
from typing import Any

from dalp_dr.errors import DrillError
from dalp_dr_airflow.hooks.pager import PagerHook

log = logging.getLogger(__name__)


def page(drill_id: str, environment: str, what: str, findings: list[str], next_step: str, runbook: str) -> bool:
    """Whether somebody's system took the page. The same text is in the task log whatever becomes of it."""
    document: dict[str, Any] = {
        "severity": "critical",
        "drill_id": drill_id,
        "environment": environment,
        "summary": what,
        "findings": findings[:20],
        "next_step": next_step,
        "runbook": runbook,
    }
    log.critical("PAGE %s: %s: %s. Next: %s (runbook %s)", drill_id, what, "; ".join(findings[:20]), next_step, runbook)
    try:
        PagerHook().send(document)
    except DrillError as error:
        log.error("The page was not delivered: %s", error.diagnostics())
        return False
    return True
