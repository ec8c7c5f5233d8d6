"""Buttons on a task in Airflow's page: the drill's report, and the runbook section of what the task found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from dalp_dr.naming import runbook_page

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

PREFIX = "/drills"  # where Airflow mounts the pages


def address(path: str) -> str:
    """The address of a page below the API server's own."""
    from airflow.sdk.configuration import conf

    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}{PREFIX}/{path}"


class DrillReportLink(BaseOperatorLink):
    """Leads to the drill of the run, whatever state it is in."""

    name = "Drill report"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        return address(f"run?dag_id={quote(ti_key.dag_id, safe='')}&run_id={quote(ti_key.run_id, safe='')}")


class RunbookLink(BaseOperatorLink):
    """Leads to the section for the first check that did not pass; empty when all passed."""

    name = "Runbook"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        pointer = getattr(operator, "found_runbook", None)
        return address(f"runbooks/{runbook_page(pointer)}") if pointer else ""
