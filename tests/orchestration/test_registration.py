"""Airflow loads the plugin, and the deadline reference answers from the database what a rerun does not move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dalp_dr_airflow.deadlines import DrillStartDeadline

ASKED = datetime(2026, 10, 6, 6, 0, tzinfo=UTC)


def test_the_plugin_is_loaded_without_an_error(dagbag: Any) -> None:
    from airflow import plugins_manager

    assert "dalp_recovery_drill" in {plugin["name"] for plugin in plugins_manager.get_plugin_info()}
    assert any(DrillStartDeadline.__name__ in name for name in plugins_manager.get_deadline_references_plugins())
    assert plugins_manager.get_import_errors() == {}


@pytest.fixture
def session(dagbag: Any) -> Any:
    """A session of the metadata database; nothing is committed."""
    from airflow.utils.session import create_session

    with create_session() as found:
        yield found
        found.rollback()


def a_dag_run(session: Any) -> Any:
    from airflow.models.dagrun import DagRun
    from airflow.utils.types import DagRunType

    run = DagRun(dag_id="quarterly_drill", run_id="manual__1", run_type=DagRunType.MANUAL, run_after=ASKED, queued_at=ASKED)
    session.add(run)
    session.flush()
    return run


def test_the_clock_of_a_drill_starts_when_it_was_asked_for(session: Any) -> None:
    a_dag_run(session)
    found = DrillStartDeadline()._evaluate_with(session=session, dag_id="quarterly_drill", run_id="manual__1")
    assert found == ASKED


def test_a_rerun_does_not_move_it(session: Any) -> None:
    run = a_dag_run(session)
    run.queued_at = run.start_date = ASKED + timedelta(hours=3)
    session.flush()
    assert DrillStartDeadline()._evaluate_with(session=session, dag_id="quarterly_drill", run_id="manual__1") == ASKED


def test_a_run_that_does_not_exist_has_no_deadline(session: Any) -> None:
    assert DrillStartDeadline()._evaluate_with(session=session, dag_id="quarterly_drill", run_id="none") is None
