"""A page to on-call: a breach, a drill that is not READY, a missed deadline. One that is not taken is logged and changes no verdict."""

from __future__ import annotations

import logging
from typing import Any

from dalp_dr.errors import DrillError
from dalp_dr_airflow.hooks.pager import PagerHook

log = logging.getLogger(__name__)


def page(
    drill_id: str,
    environment: str,
    what: str,
    findings: list[str],
    next_step: str,
    runbook: str,
    severity: str = "critical",
    link: str = "",
) -> bool:
    """Whether somebody's system took the page. The same text is in the task log whatever becomes of it."""
    document: dict[str, Any] = {
        "severity": severity,
        "drill_id": drill_id,
        "environment": environment,
        "summary": what,
        "findings": findings[:20],
        "next_step": next_step,
        "runbook": runbook,
        "link": link,
    }
    log.critical("PAGE %s: %s: %s. Next: %s (runbook %s)", drill_id, what, "; ".join(findings[:20]), next_step, runbook)
    try:
        PagerHook().send(document)
    except DrillError as error:
        log.error("The page was not delivered: %s", error.diagnostics())
        return False
    return True


def pages_url(path: str) -> str:
    """Address of one of our pages in Airflow, as Airflow's own base URL says; empty where it says none."""
    from airflow.configuration import conf

    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base}/drills/{path}" if base else ""
