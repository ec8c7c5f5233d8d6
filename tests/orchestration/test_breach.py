"""A canary that got through: the record is stored, somebody is paged, and the sandbox is deleted at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dalp_dr import naming
from dalp_dr.evidence import records
from dalp_dr.evidence.store import FolderStore
from dalp_dr.isolation import probe, quarantine
from dalp_dr.isolation.sandbox import manifests
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.errors import CheckFailedError, CheckInconclusiveError
from dalp_dr_airflow.hooks.errors import CallError
from dalp_dr_airflow.operators.isolate import QuarantineProbeOperator
from fake_run import FakeRun
from sandbox_sample import an_environment
from synthetic_drill import a_plan

PLAN = a_plan(environment=an_environment())
ROLES = list(PLAN.roles)


@dataclass
class FakeSandbox:
    """The namespaces of a sandbox; remembers what was deleted."""

    namespaces: list[dict[str, Any]]
    deleted: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False

    def list(self, path: str, selector: str | None = None) -> list[dict[str, Any]]:
        return self.namespaces if path == "/api/v1/namespaces" else []

    def delete(self, path: str, uid: str, grace_seconds: int | None = None) -> bool:
        if self.broken:
            raise CallError("the API server is busy", "Ask again.")
        self.deleted.append((path.rpartition("/")[2], uid))
        return True


def namespaces() -> list[dict[str, Any]]:
    made = [m for m in manifests(PLAN) if m["kind"] == "Namespace"]
    return [{**m, "metadata": {**m["metadata"], "uid": f"u-{role}"}} for role, m in zip(ROLES, made, strict=True)]


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Every page that the on-call service took."""
    taken: list[dict[str, Any]] = []

    class OnCall(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))) | {"key": self.headers["Authorization"]})
            self.send_response(202)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), OnCall)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = {"conn_type": "http", "host": f"http://127.0.0.1:{server.server_port}/events", "password": "Token on-call"}
    monkeypatch.setenv("AIRFLOW_CONN_DALP_PAGING", json.dumps(connection))
    yield taken
    server.shutdown()
    server.server_close()


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSandbox:
    made = FakeSandbox(namespaces())
    monkeypatch.setattr(Drill, "velero", SimpleNamespace(namespace="velero"))
    monkeypatch.setattr(Drill, "backup_store", SimpleNamespace())
    monkeypatch.setattr(Drill, "evidence", FolderStore(tmp_path / "evidence"))
    monkeypatch.setattr(Drill, "sandbox", made)
    return made


def seen(outcome: str) -> quarantine.Quarantine:
    """Every canary ended so, from every namespace."""
    attempts = tuple(probe.Attempt(t.name, t.address, t.port, outcome, 0.1) for t in probe.targets(PLAN))
    control = probe.Attempt("control", "dalp-dr-gateway", 8545, "connected", 0.01)
    return quarantine.Quarantine(
        (), (), (), tuple(probe.ProbeRun(r, "before", attempts, control, "refused", "answered", True) for r in PLAN.roles)
    )


def conclude(store: Any, facts: quarantine.Quarantine) -> None:
    run = FakeRun(PLAN, store, Path("/nowhere"))
    run.freeze()
    operator = QuarantineProbeOperator(task_id="canaries", when="before")
    context: Any = run.context("isolate.canaries")
    operator.conclude(Drill.open(context), context, [Gathered("isolation", facts, "before")])


def test_a_breach_is_recorded_paged_and_ends_the_sandbox(sandbox: FakeSandbox, pages: list[dict[str, Any]]) -> None:
    store: Any = Drill.evidence
    with pytest.raises(CheckFailedError, match="canaries_refused"):
        conclude(store, seen("connected"))
    [record] = store.list(f"drills/{PLAN.drill_id}/records/")
    assert records.decode(store.get(record), record).facts is not None
    assert sandbox.deleted == [(PLAN.namespace(role), f"u-{role}") for role in ROLES], "with the UID that was read"
    [page] = pages
    assert (page["drill_id"], page["severity"], page["runbook"], page["key"]) == (
        PLAN.drill_id,
        "critical",
        "isolation.md#canaries",
        "Token on-call",
    )
    assert any("connected" in finding for finding in page["findings"])


def test_a_strangers_namespace_is_not_deleted(sandbox: FakeSandbox, pages: list[dict[str, Any]]) -> None:
    del sandbox.namespaces[0]["metadata"]["labels"][naming.LABEL_TOKEN]
    with pytest.raises(CheckFailedError):
        conclude(Drill.evidence, seen("connected"))
    assert [name for name, _ in sandbox.deleted] == [PLAN.namespace(role) for role in ROLES[1:]]


def test_what_cannot_be_deleted_is_paged_too(sandbox: FakeSandbox, pages: list[dict[str, Any]]) -> None:
    sandbox.broken = True
    with pytest.raises(CheckFailedError):
        conclude(Drill.evidence, seen("connected"))
    assert [p["next_step"] for p in pages[1:]] == ["Delete it by hand."]


def test_a_page_that_nobody_takes_changes_nothing(sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_DALP_PAGING", raising=False)
    with pytest.raises(CheckFailedError):
        conclude(Drill.evidence, seen("connected"))
    assert len(sandbox.deleted) == len(ROLES)


def test_a_canary_that_could_not_be_run_is_no_breach(sandbox: FakeSandbox, pages: list[dict[str, Any]]) -> None:
    with pytest.raises((CheckInconclusiveError, CheckFailedError)):
        conclude(Drill.evidence, seen("reset"))
    assert (sandbox.deleted, pages) == ([], [])
