"""Every reason to refuse, on a real API server: the gate names it, and by the server's own audit log nothing but the lease was
written. Root; cluster number 7."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

import real_api
from dalp_dr.evidence.store import FolderStore
from dalp_dr.isolation import audit_log, sandbox
from dalp_dr.model.check import CHECKLIST
from dalp_dr.model.environment import Environment
from dalp_dr_airflow.drill import Drill
from dalp_dr_airflow.errors import CheckFailedError, CheckInconclusiveError, DrillRefusedError
from dalp_dr_airflow.operators.preflight import PreflightGateOperator, SafetyCheckOperator
from dalp_dr_lab.cluster.settings import Cluster
from fake_run import FakeRun
from sandbox_sample import an_environment
from synthetic_drill import a_plan

pytestmark = pytest.mark.lab

NUMBER = 7
IMPATIENT = an_environment().source.model_copy(update={"velero_wait_minutes": 0})
ENVIRONMENT = an_environment(source=IMPATIENT)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with real_api.running(NUMBER, tmp_path_factory.mktemp("cluster"), ENVIRONMENT) as found:
        yield found


class ObjectStore(ThreadingHTTPServer):
    """A store that denies every write, or that would have written."""

    writable = False

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, code = (404, "NoSuchUpload") if self.server.writable else (403, "AccessDenied")  # type: ignore[attr-defined]
            body = f"<Error><Code>{code}</Code></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    server = ObjectStore(("127.0.0.1", 0), ObjectStore.Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@dataclass
class World:
    """What is to be refused, and what the connections lead to."""

    cluster: Cluster
    store: ObjectStore
    environment: Environment = ENVIRONMENT
    sandbox_account: str = "drill"
    made: list[str] = field(default_factory=list)

    def kubeconfig(self, account: str) -> str:
        admin = yaml.safe_load(self.cluster.kubeconfig.read_text())
        if account == "administrator":
            return json.dumps(admin)
        token = real_api.kubectl(self.cluster, "create", "token", account, "-n", "dalp-dr").strip()
        user = [{"name": account, "user": {"token": token}}]
        context = [{"name": account, "context": {"cluster": admin["clusters"][0]["name"], "user": account}}]
        return json.dumps({**admin, "current-context": account, "users": user, "contexts": context})


def nothing(world: World, plan: Any) -> None:
    """The ground is as it should be."""


def same_cluster(world: World, plan: Any) -> None:
    world.environment = ENVIRONMENT.model_copy(update={"cluster": "separate"})


def existing(labels: Callable[[Any], dict[str, str]]) -> Callable[[World, Any], None]:
    def make(world: World, plan: Any) -> None:
        world.made.append(plan.namespace("app"))
        metadata = {"name": plan.namespace("app"), "labels": labels(plan)}
        real_api.apply(world.cluster, yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))

    return make


def production_kubeconfig(world: World, plan: Any) -> None:
    world.sandbox_account = "administrator"


def evidence_among_documents(world: World, plan: Any) -> None:
    world.environment = ENVIRONMENT.model_copy(update={"evidence_bucket": "dalp-documents"})


def writable_store(world: World, plan: Any) -> None:
    world.store.writable = True


CASES = {
    "sandbox-is-the-source": (same_cluster, "sandbox_is_not_source"),
    "production-marks": (existing(lambda p: {**sandbox.labels(p), "kots.io/app-slug": "settlemint-dalp"}), "sandbox_is_not_source"),
    "foreign-namespace": (existing(lambda p: {"team": "billing"}), "sandbox_is_ours_or_absent"),
    "production-kubeconfig": (production_kubeconfig, "source_writes_denied"),
    "evidence-among-documents": (evidence_among_documents, "evidence_apart"),
    "store-writable-by-the-reader": (writable_store, "read_keys_cannot_write"),
}
SAFETY = {check for _, check in CASES.values()}


def refused(world: World, spoil: Callable[[World, Any], None], folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Runs the safety checks and the gate as a drill does; the checks about safety that the gate names."""
    spoil(world, a_plan(environment=world.environment, checklist=CHECKLIST))
    plan, address = a_plan(environment=world.environment, checklist=CHECKLIST), f"http://127.0.0.1:{world.store.server_port}"
    evidence = FolderStore(folder / "evidence")
    monkeypatch.setattr(Drill, "evidence", evidence)
    for name, account in (("SOURCE", "source-reader"), ("SANDBOX", world.sandbox_account)):
        extra = {"kube_config": world.kubeconfig(account)}
        monkeypatch.setenv(f"AIRFLOW_CONN_DALP_{name}_KUBERNETES", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    for name in ("BACKUP_STORE", "OBJECT_STORAGE", "SANDBOX_OBJECT_READ", "EVIDENCE_STORE"):
        connection = {"conn_type": "aws", "login": "k", "password": "s", "extra": {"endpoint_url": address, "region_name": "us-east-1"}}
        monkeypatch.setenv(f"AIRFLOW_CONN_DALP_{name}", json.dumps(connection))
    run = FakeRun(plan, evidence, folder / "home")
    run.freeze()
    with suppress(CheckFailedError, CheckInconclusiveError):
        SafetyCheckOperator(task_id="safety").execute(run.context("preflight.safety"))
    with pytest.raises(DrillRefusedError) as raised:
        PreflightGateOperator(task_id="gate").execute(run.context("preflight.gate"))
    return {check for check in SAFETY if f"{check} (" in str(raised.value)}


@pytest.mark.parametrize("case", ["nothing", *CASES])
def test_the_gate_names_the_reason_and_nothing_but_the_lease_was_written(
    cluster: Cluster, store: ObjectStore, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, check = CASES.get(case, (nothing, None))
    world, begun = World(cluster, store), datetime.now(UTC)
    try:
        named = refused(world, spoil, tmp_path, monkeypatch)
    finally:
        for name in world.made:
            real_api.kubectl(cluster, "delete", "namespace", name)
    assert named == ({check} if check else set())
    lines = cluster.audit_log.read_text().splitlines()
    own = [line for line in lines if datetime.fromisoformat(json.loads(line)["requestReceivedTimestamp"]) >= begun]
    assert any("system:serviceaccount:dalp-dr:source-reader" in line for line in own), "the log has this run"
    assert audit_log.written(own, ENVIRONMENT) == ()
