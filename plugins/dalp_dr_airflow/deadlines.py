"""The reference of all drill deadlines: the moment the drill was asked for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseDeadlineReference

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class DrillStartDeadline(BaseDeadlineReference):
    """First queued. A rerun does not move it, unlike Airflow's own queued-at reference."""

    required_kwargs = {"dag_id", "run_id"}

    def _evaluate_with(self, *, session: Session, dag_id: str, run_id: str, **kwargs: Any) -> datetime | None:
        from airflow.models.dagrun import DagRun  # server side only
        from sqlalchemy import select

        return session.scalar(select(DagRun.run_after).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
