"""DAGs as Airflow reads them, and a drill whose evidence is a folder: no root, no cluster, SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dalp_dr import catalogue
from dalp_dr.evidence.store import FolderStore
from dalp_dr.timing.provenance import ProvenanceFacts
from dalp_dr_airflow import fence
from dalp_dr_airflow.audit import code_digest
from dalp_dr_lab import buckets, processes, servers
from dalp_dr_lab.lab import Lab
from fake_outside import Outside, an_outside
from fake_run import FakeRun
from synthetic_drill import CATALOGUE, KEY, a_plan, a_record, good_records, private_pem

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def dagbag() -> Any:
    """Every DAG of the project, as the DAG processor reads it."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    return DagBag(ROOT / "dags")


@pytest.fixture(autouse=True)
def no_lease(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """There is no cluster with a lease here, but in the tests of the fence; which drills gave theirs back, in order."""
    released: list[str] = []
    if request.module.__name__.rpartition(".")[2] not in ("test_removal", "test_janitor"):
        monkeypatch.setattr(fence, "keep_lease", lambda drill: None)
        monkeypatch.setattr(fence, "release", lambda drill: released.append(drill.drill_id))
    return released


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """A run whose catalogue is small, whose evidence is a folder and whose signing key is the tests'."""
    from dalp_dr_airflow.drill import Drill

    store = FolderStore(tmp_path / "evidence")
    own = {name: catalogue.KINDS[name] for name in ("provenance", "run_audit")}
    audited = tuple(check for check in catalogue.CHECKS if check.kind == "run_audit")
    monkeypatch.setattr(catalogue, "KINDS", {**CATALOGUE["kinds"], **own})
    monkeypatch.setattr(catalogue, "CHECKS", (*CATALOGUE["checks"], *audited))
    monkeypatch.setattr(Drill, "evidence", store)
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path / "home"))
    key = {"conn_type": "generic", "password": private_pem(KEY)}
    monkeypatch.setenv("AIRFLOW_CONN_DALP_EVIDENCE_SIGNING", json.dumps(key))
    found = FakeRun(a_plan(), store, tmp_path / "home")
    monkeypatch.setattr(Drill, "airflow", found.airflow)
    return found


def a_provenance() -> ProvenanceFacts:
    """Of the code that is there."""
    return ProvenanceFacts("b" * 40, False, {}, "sam", "", "lab-1", "owner", "2026-01-15", "", code_digest())


@pytest.fixture
def good_run(run: FakeRun) -> FakeRun:
    """The same with a plan and a good record of everything."""
    run.freeze()
    run.record(*good_records(run.plan), a_record(run.plan, "provenance", facts=a_provenance()))
    return run


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outside:
    """A drill with the whole catalogue, evidence in a folder, and fakes of everything else."""
    return an_outside(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab's object store alone: a real SeaweedFS with the lab's buckets and identities; neither root nor cluster."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DALP_DR_HOME", str(tmp_path_factory.mktemp("home")))
        environment.setenv("LAB_HOST_ADDRESS", "127.0.0.1")
        found = Lab.load()
        servers.start_weed(found)
        try:
            buckets.ensure(found)
            buckets.wait_writable(found)
            yield found
        finally:
            servers.stop(found)
            assert not processes.alive(found.folder)
