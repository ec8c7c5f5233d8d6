"""Registers the drills' extensions with Airflow. Registration only; the code is in dalp_dr_airflow."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from dalp_dr_airflow.deadlines import DrillStartDeadline


class DalpRecoveryDrillPlugin(AirflowPlugin):
    """Deadline reference of the drills."""

    name = "dalp_recovery_drill"
    deadline_references = [DrillStartDeadline]
