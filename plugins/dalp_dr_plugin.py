"""Registers the drills' extensions with Airflow. Registration only; the code is in dalp_dr_airflow."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from dalp_dr_airflow.deadlines import DrillStartDeadline
from dalp_dr_airflow.timetables.quarters import DrillCalendarTimetable
from dalp_dr_airflow.web.lazy import LazyApplication


def pages() -> Any:
    from dalp_dr_airflow.web.app import make

    return make()


class DalpRecoveryDrillPlugin(AirflowPlugin):
    """Deadline reference and calendar of the drills; their pages, as a tab of each run and below Browse."""

    name = "dalp_recovery_drill"
    deadline_references = [DrillStartDeadline]
    timetables = [DrillCalendarTimetable]
    fastapi_apps = [{"app": LazyApplication(pages), "url_prefix": "/drills", "name": "DALP recovery drills"}]
    external_views = [
        {
            "name": "Drill report",
            "href": "/drills/run?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": "drill-report",
        },
        {"name": "Recovery drills", "href": "/drills/", "destination": "nav", "category": "browse", "url_route": "recovery-drills"},
    ]
