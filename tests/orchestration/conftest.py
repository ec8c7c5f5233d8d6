"""DAGs as Airflow reads them, and a drill whose evidence is a folder: no root, no cluster, SQLite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dalp_dr import catalogue
from dalp_dr.evidence.store import FolderStore
from fake_run import FakeRun
from synthetic_drill import CATALOGUE, KEY, a_plan, good_records, private_pem

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def dagbag() -> Any:
    """Every DAG of the project, as the DAG processor reads it."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    return DagBag(ROOT / "dags")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """A run whose catalogue is small, whose evidence is a folder and whose signing key is the tests'."""
    from dalp_dr_airflow.drill import Drill

    store = FolderStore(tmp_path / "evidence")
    monkeypatch.setattr(catalogue, "KINDS", CATALOGUE["kinds"])
    monkeypatch.setattr(catalogue, "CHECKS", CATALOGUE["checks"])
    monkeypatch.setattr(Drill, "evidence", store)
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path / "home"))
    key = {"conn_type": "generic", "password": private_pem(KEY)}
    monkeypatch.setenv("AIRFLOW_CONN_DALP_EVIDENCE_SIGNING", json.dumps(key))
    return FakeRun(a_plan(), store, tmp_path / "home")


@pytest.fixture
def good_run(run: FakeRun) -> FakeRun:
    """The same with a plan and a good record of everything."""
    run.freeze()
    run.record(*good_records(run.plan))
    return run
