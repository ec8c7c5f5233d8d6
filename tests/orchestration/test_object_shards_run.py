"""The three tasks of object versions as Airflow runs them: mapped over what the first one returned, joined whatever happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from dalp_dr import naming
from dalp_dr_airflow.operators.base import DrillOperator
from dalp_dr_airflow.task_groups import flow
from fake_outside import Outside
from test_object_shards import Store, store  # noqa: F401  # a fixture

SHARDS, LISTING, JOIN = "object_shards", "object_listing", "object_versions"


@pytest.fixture(autouse=True)
def planned(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Airflow calls the run, it is the drill that has a plan."""
    monkeypatch.setattr(naming, "drill_id", lambda *run: outside.run.plan.drill_id)


def states(name: str) -> dict[tuple[str, int], str]:
    """`{(task, map index): state}` of a run of the three tasks by Airflow."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), params={"environment": "lab", "dry_run": False}) as dag:
        proven = EmptyOperator(task_id="proven")
        flow.object_versions(proven, proven)
    DagBundlesManager().sync_bundles_to_db()
    serialized = LazyDeserializedDAG.from_dag(dag)
    SerializedDAG.bulk_write_to_db("dags-folder", None, [serialized])
    SerializedDagModel.write_dag(serialized, bundle_name="dags-folder")
    run = dag.test(run_after=datetime(2026, 1, 2, tzinfo=UTC))
    return {(t.task_id, t.map_index): str(t.state) for t in run.get_task_instances()}


def test_each_shard_is_a_mapped_task_and_the_join_passes(dagbag: Any, outside: Outside, store: Store) -> None:  # noqa: F811
    assert states("objects_sound") == {
        ("proven", -1): "success",
        (SHARDS, -1): "success",
        (LISTING, 0): "success",
        (LISTING, 1): "success",
        (JOIN, -1): "success",
    }


def test_the_join_runs_and_fails_when_a_shard_was_not_listed(dagbag: Any, outside: Outside, store: Store) -> None:  # noqa: F811
    store.away = {"uploads/"}
    found = states("objects_away")
    assert (found[LISTING, 0], found[LISTING, 1], found[JOIN, -1]) == ("failed", "success", "failed")


def test_the_join_runs_and_fails_when_no_shard_was_planned(
    dagbag: Any,
    outside: Outside,
    store: Store,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*asked: Any) -> Any:
        raise RuntimeError("no answer")

    monkeypatch.setattr(Store, "folders", broken)
    found = states("objects_unplanned")
    assert found[SHARDS, -1] == "failed" and found[JOIN, -1] == "failed", found


def test_a_check_of_other_surfaces_skips_nothing(dagbag: Any, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow skips what is mapped over nothing, and all that comes after it."""
    monkeypatch.setattr(DrillOperator, "in_scope", lambda self, drill: False)
    assert set(states("objects_unasked").values()) == {"success"}
