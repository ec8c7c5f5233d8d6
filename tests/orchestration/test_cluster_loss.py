"""After the loss of production: what counts as gone, what may still be read, and who is told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from socketserver import ThreadingTCPServer
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from dalp_dr.cluster_loss import platform
from dalp_dr.errors import FactError, InputError, RefusedError
from dalp_dr.evidence import dsse
from dalp_dr.model import environment_file
from dalp_dr.model.check import Verdict
from dalp_dr.model.plan import ConfigurationPoint
from dalp_dr_airflow.drill import INCLUDE, Drill
from dalp_dr_airflow.hooks.connections import escrow_key, postgres_answers
from dalp_dr_airflow.hooks.errors import CallError, Denied, Missing, NoAnswer, call_error
from dalp_dr_airflow.hooks.mail import send
from dalp_dr_airflow.hooks.velero import VeleroHook
from dalp_dr_airflow.operators import cluster_loss, report, seal, targets
from dalp_dr_airflow.operators.cluster_loss import EscrowOperator, PlatformOperator, answer
from dalp_dr_airflow.operators.report import ReportOperator
from dalp_dr_airflow.operators.seal import SealEvidenceOperator, newest_bundle
from dalp_dr_airflow.operators.targets import TargetChangeOperator
from dalp_dr_lab import mailbox
from fake_run import FakeRun
from sandbox_sample import a_plan

ANNUAL = environment_file.read(INCLUDE / "environments" / "lab-annual.yaml")
ANSWERS = {
    "an answer": (None, "answered"),
    "a refusal": (Denied("no", status=403), "answered"),
    "not there": (Missing("no", status=404), "answered"),
    "silence": (NoAnswer("timeout"), "no_answer"),
    "a certificate that nobody knows": (call_error("read", "version", None, "[SSL: CERTIFICATE_VERIFY_FAILED] unable to get"), "unclear"),
    "an answer that cannot be read": (CallError("what"), "unclear"),
    "no connection": (AirflowNotFoundException("x"), "no_connection"),
    "a connection without an address": (InputError("x"), "unclear"),
    "a crash": (RuntimeError("x"), "unclear"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_only_silence_and_a_missing_connection_are_no_answer(case: str) -> None:
    error, outcome = ANSWERS[case]

    def question() -> None:
        if error:
            raise error

    assert answer("it", question).outcome == outcome


def test_nothing_may_be_read_from_a_lost_production() -> None:
    drill = Drill("d-1", ANNUAL, "verify.x", 1)
    drill.source_lost = True
    with pytest.raises(RefusedError, match="Production is lost"):
        _ = drill.source
    assert isinstance(drill.velero, VeleroHook), "backups are read where the sandbox is"
    with pytest.raises(Missing, match="schedules"):
        drill.velero.schedules()


def at(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOMEWHERE", json.dumps({"conn_type": "postgres", "host": "127.0.0.1", "port": port}))


@pytest.mark.parametrize(("said", "reached"), [(b"N", True), (b"S", True), (b"E", True), (b"", False), (b"HTTP/1.1 400", False)])
def test_only_a_postgresql_answers_as_one(monkeypatch: pytest.MonkeyPatch, said: bytes, reached: bool) -> None:
    """A proxy that accepts for what is gone says nothing of PostgreSQL."""
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as wire:
            asked.append(wire.recv(8))
            wire.sendall(said)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        at(monkeypatch, listener.getsockname()[1])
        if reached:
            postgres_answers("somewhere")
        else:
            with pytest.raises(NoAnswer, match="No PostgreSQL"):
                postgres_answers("somewhere")
        server.join(5)
    assert asked == [bytes.fromhex("0000000804d2162f")]
    with pytest.raises(NoAnswer):
        postgres_answers("somewhere")


def test_no_connection_leads_nowhere() -> None:
    with pytest.raises(AirflowNotFoundException):
        postgres_answers(None)


def test_the_escrows_key_must_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_K", json.dumps({"conn_type": "generic", "password": "x", "extra": {"certificate": "y"}}))
    with pytest.raises(InputError, match="lacks the custodian's"):
        escrow_key("k")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The lab's mail server and a connection `dalp_report` that leads there; yields where its mails are."""
    monkeypatch.setattr(mailbox.Session, "folder", tmp_path / "mail", raising=False)
    with ThreadingTCPServer(("127.0.0.1", 0), mailbox.Session) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        extra = {"from_email": "drill@x.example", "to": ["team@x.example"], "disable_tls": True, "disable_ssl": True}
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": running.server_address[1], "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_DALP_REPORT", json.dumps(connection))
        yield tmp_path / "mail"
        running.shutdown()


@pytest.fixture
def sealed(good_run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    monkeypatch.setattr(seal, "publish", lambda drill, folder: None)
    SealEvidenceOperator(task_id="evidence").execute(good_run.context("seal.evidence"))
    return good_run


def said(run: FakeRun) -> dict[str, object]:
    """The newest report statement's predicate."""
    path, envelope = newest_bundle(Drill.open(run.context())).after("report")[-1]
    return dict(dsse.peek(envelope, path)["predicate"])


def test_a_mail_says_the_decision_and_the_ledger_who_took_it(sealed: FakeRun, server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "channel", lambda drill: "dalp_report")
    ReportOperator(task_id="accountable_team").execute(sealed.context("report.accountable_team"))
    (mail,) = server.glob("*.eml")
    assert f"FIX, 1 reason: recovery drill {sealed.plan.drill_id}" in mail.read_text().replace("\n ", " "), "nobody has signed yet"
    assert said(sealed)["recipients"] == ["team@x.example"] and said(sealed)["problem"] is None


@pytest.mark.parametrize(
    ("channel", "why"),
    [(None, "names no connection"), ("nowhere", "no connection nowhere"), ("dead", "was not taken")],
)
def test_nobody_told_is_said_and_red(sealed: FakeRun, monkeypatch: pytest.MonkeyPatch, channel: str | None, why: str) -> None:
    extra = {"from_email": "a@x.example", "to": "b@x.example", "disable_tls": True, "disable_ssl": True, "timeout": 1, "retry_limit": 0}
    monkeypatch.setenv("AIRFLOW_CONN_DEAD", json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": 9, "extra": extra}))
    monkeypatch.setattr(report, "channel", lambda drill: channel)
    with pytest.raises(FactError, match="was not told"):
        ReportOperator(task_id="accountable_team").execute(sealed.context("report.accountable_team"))
    assert why in str(said(sealed)["problem"]) and said(sealed)["recipients"] == []


def test_a_mail_connection_names_its_recipients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_M", json.dumps({"conn_type": "smtp", "host": "127.0.0.1"}))
    with pytest.raises(InputError, match="no recipients"):
        send("m", "subject", "text")


COMMIT = "a" * 40
PLATFORM = """
operators:
- {name: Velero, namespace: velero, workload: deployment/velero, version: v1.18.3}
- {name: Node agent, namespace: velero, workload: daemonset/node-agent, version: v1.18.3}
apis: [restores.velero.io/v1, clusters.postgresql.cnpg.io/v1]
"""


class Cluster:
    """The recovery cluster's API: one operator, and Velero's APIs alone."""

    def get(self, path: str) -> dict[str, Any]:
        spec = {"replicas": 1, "template": {"spec": {"containers": [{"image": "local/velero:v1.18.3"}]}}}
        known: dict[str, dict[str, Any]] = {
            "/api/v1/namespaces/kube-system": {"metadata": {"uid": "u", "creationTimestamp": "2026-10-06T05:00:00Z"}},
            "/apis/apps/v1/namespaces/velero/deployments/velero": {"kind": "Deployment", "spec": spec, "status": {"readyReplicas": 1}},
            "/apis/velero.io/v1": {"resources": [{"name": "restores"}, {"name": "restores/status"}]},
            "/api/v1": {"resources": [{"name": "services"}]},
        }
        if path not in known:
            raise Missing(f"{path} is not there")
        return known[path]


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> Drill:
    """A drill after a loss, with a recovery cluster that lacks CloudNativePG."""
    plan = a_plan(ANNUAL, source_lost=True, configuration=ConfigurationPoint(COMMIT, "2026-10-01T12:00:00Z"))
    drill = Drill(plan.drill_id, ANNUAL, "rebuild.platform", 1)
    rendered = [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"secretName": "dalp-tls"}}]
    for name, value in {
        "plan": plan,
        "sandbox": Cluster(),
        "configuration": SimpleNamespace(read=lambda commit, path: PLATFORM, render=lambda *words: rendered),
        "backup_store": SimpleNamespace(backup_contents=lambda name: {"secrets": {}}),
    }.items():
        monkeypatch.setitem(drill.__dict__, name, value)
    return drill


def test_what_the_recovery_cluster_lacks_is_a_fact(lost: Drill) -> None:
    found = PlatformOperator.platform(lost).facts
    assert [(o.name, o.found, o.ready) for o in found.operators] == [("Velero", "v1.18.3", 1), ("Node agent", None, 0)]
    assert (found.apis[0], found.missing_apis) == ("restores.velero.io/v1", ("clusters.postgresql.cnpg.io/v1",))
    assert platform.operators_rebuilt(found, lost.plan).verdict is Verdict.FAIL
    assert platform.apis_served(found, lost.plan).verdict is Verdict.FAIL


def test_every_release_is_rendered_and_its_kinds_are_looked_for(lost: Drill) -> None:
    found = PlatformOperator.renderings(lost).facts
    assert [(r.role, r.objects, r.unserved) for r in found.roles] == [(role, 1, ()) for role in lost.plan.roles]


def test_the_escrow_is_taken_as_it_was_at_the_incident(lost: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [
        {
            "key": "prod/secrets.cms",
            "version_id": "young",
            "last_modified": "2026-10-06T07:00:00+00:00",
            "size_bytes": 1,
            "is_delete_marker": False,
        },
        {
            "key": "prod/secrets.cms",
            "version_id": "right",
            "last_modified": "2026-10-06T05:00:00+00:00",
            "size_bytes": 2,
            "is_delete_marker": False,
        },
        {
            "key": "prod/secrets.cms",
            "version_id": "old",
            "last_modified": "2026-10-01T05:00:00+00:00",
            "size_bytes": 3,
            "is_delete_marker": False,
        },
    ]
    read: list[str | None] = []
    monkeypatch.setattr(cluster_loss.S3Access, "versions", lambda self, bucket, prefix: iter(kept))
    monkeypatch.setattr(cluster_loss.S3Access, "read", lambda self, bucket, key, version: read.append(version) or b"")
    monkeypatch.setattr(cluster_loss, "escrow_key", lambda conn_id: ("", ""))
    secret = {"kind": "Secret", "metadata": {"namespace": "dalp", "name": "dalp-tls"}, "data": {"tls.crt": "eA=="}}
    monkeypatch.setattr(cluster_loss.escrow, "opened", lambda data, certificate, key: [secret])
    found = EscrowOperator.open(lost).facts
    assert (read, found.version_id, found.size_bytes) == (["right"], "right", 2)
    assert {n.name for n in found.needed} == {"dalp-tls"} and "eA==" not in str(found)
    kept[1]["is_delete_marker"] = True
    with pytest.raises(Missing, match="did not exist"):
        EscrowOperator.open(lost)


@pytest.mark.parametrize(("field", "operator"), [("escrow", EscrowOperator.open), ("platform", PlatformOperator.platform)])
def test_an_environment_that_names_nothing_gives_no_facts(lost: Drill, field: str, operator: Any) -> None:
    bare = ANNUAL.model_copy(update={"escrow": None, "configuration": ANNUAL.configuration.model_copy(update={"platform": None})})
    lost.__dict__["plan"] = replace(lost.plan, environment=bare)
    with pytest.raises(FactError, match=f"names no {field}"):
        operator(lost)


class Repository:
    """A configuration repository that takes proposals, or not."""

    def __init__(self, takes: bool) -> None:
        self.takes = takes
        self.proposed: list[tuple[str, ...]] = []

    def propose(self, *words: str) -> str | None:
        self.proposed.append(words)
        return "c" * 40 if self.takes else None


@pytest.mark.parametrize("takes", [True, False], ids=["may push", "may only read"])
def test_an_impossible_target_becomes_a_proposal_and_nothing_else(sealed: FakeRun, monkeypatch: pytest.MonkeyPatch, takes: bool) -> None:
    repository, known = Repository(takes), targets.expected_summary

    def impossible(*words: Any) -> dict[str, Any]:
        found = known(*words)
        return found | {"rto_seconds": 200.0, "targets": found["targets"] | {"rto_seconds": 60}}

    monkeypatch.setattr(targets, "expected_summary", impossible)
    monkeypatch.setattr(Drill, "configuration", repository)
    said = TargetChangeOperator(task_id="proposal").execute(sealed.context("targets.proposal"))
    branch = f"recovery-drill/{sealed.plan.drill_id}-targets"
    assert said == {"proposed": True, "branch": branch if takes else None}
    assert repository.proposed[0][1:3] == (branch, f"recovery-targets/{sealed.plan.environment.name}.yaml")
    assert "proposed 300 s" in (sealed.home / "drills" / sealed.plan.drill_id / targets.FILE).read_text()


def test_targets_that_hold_are_left_alone(sealed: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets.target_change, "changes", lambda summary: ())
    assert TargetChangeOperator(task_id="proposal").execute(sealed.context("targets.proposal")) == {"proposed": False, "branch": None}


def test_a_backup_that_velero_has_yet_to_find_is_waited_for() -> None:
    waited: list[tuple[str, float]] = []

    def wait(path: str, ready: Any, seconds: float, what: str) -> None:
        waited.append((path, seconds))
        assert not ready(None) and ready({})

    sandbox: Any = SimpleNamespace(wait=wait, get=lambda path: {"path": path})
    found = VeleroHook(None, sandbox).known_backup("dalp-1", 120)
    assert waited == [(found["path"], 120)] and found["path"].endswith("/velero/backups/dalp-1")
    source: Any = SimpleNamespace(get=lambda path: {"from": "production"})
    assert VeleroHook(source, sandbox).known_backup("dalp-1", 120) == {"from": "production"}
