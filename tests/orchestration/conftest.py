"""DAGs as Airflow reads them, and a drill whose evidence is a folder: no root, no cluster, SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from synthetic_drill import ASKED, CAPTURES, CATALOGUE, KEY, a_plan, good_records, private_pem

from dalp_dr import catalogue
from dalp_dr.evidence import records
from dalp_dr.evidence.store import FolderStore
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import Record

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def dagbag() -> Any:
    """Every DAG of the project, as the DAG processor reads it."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    return DagBag(ROOT / "dags")


class FakeTaskInstance:
    """What operators use of a task instance."""

    def __init__(self, task_id: str, try_number: int, pulled: dict[tuple[str, str], Any]) -> None:
        self.task_id, self.try_number, self.pulled = task_id, try_number, pulled
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.pulled.get((task_ids, key))


@dataclass
class FakeRun:
    """One run of a drill as its tasks see it; its evidence is the folder `store`."""

    plan: DrillPlan
    store: FolderStore
    home: Path
    params: dict[str, Any] = field(default_factory=lambda: {"environment": "lab", "dry_run": False})
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)

    def context(self, task_id: str = "verify.count", try_number: int = 1) -> dict[str, Any]:
        run = SimpleNamespace(dag_id=self.plan.dag_id, run_id=self.plan.run_id, run_after=ASKED, run_type="manual")
        return {"dag_run": run, "ti": FakeTaskInstance(task_id, try_number, self.xcoms), "params": self.params}

    def freeze(self) -> None:
        """As after the plan stage."""
        self.store.put(f"drills/{self.plan.drill_id}/plan.json", records.encode_plan(self.plan))

    def record(self, *found: Record) -> None:
        """As after tasks that recorded these."""
        for one in found:
            self.store.put(f"drills/{self.plan.drill_id}/records/{one.name}", records.encode(one))
        for digest, data in CAPTURES.items():
            self.store.put(f"drills/{self.plan.drill_id}/captures/{digest}", data)

    def summary(self) -> dict[str, Any]:
        text = (self.home / "drills" / self.plan.drill_id / "summary.json").read_text()
        found: dict[str, Any] = json.loads(text)
        return found


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRun]:
    """A run whose catalogue is small, whose evidence is a folder and whose signing key is the tests'."""
    from dalp_dr_airflow.drill import Drill

    store = FolderStore(tmp_path / "evidence")
    monkeypatch.setattr(catalogue, "KINDS", CATALOGUE["kinds"])
    monkeypatch.setattr(catalogue, "CHECKS", CATALOGUE["checks"])
    monkeypatch.setattr(Drill, "evidence", store)
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path / "home"))
    key = {"conn_type": "generic", "password": private_pem(KEY)}
    monkeypatch.setenv("AIRFLOW_CONN_DALP_EVIDENCE_SIGNING", json.dumps(key))
    yield FakeRun(a_plan(), store, tmp_path / "home")


@pytest.fixture
def good_run(run: FakeRun) -> FakeRun:
    """The same with a plan and a good record of everything."""
    run.freeze()
    run.record(*good_records(run.plan))
    return run
