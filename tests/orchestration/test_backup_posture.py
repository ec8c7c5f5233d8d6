"""The hourly watch as its tasks run: records outside of drills, declared deviations, one answer, and never a claim."""

from __future__ import annotations

import json
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from dalp_dr.database.wal_archive import WalArchive
from dalp_dr.errors import FactError
from dalp_dr.evidence import ledger, records
from dalp_dr.model.check import passed
from dalp_dr.posture import checks, history, standing
from dalp_dr_airflow.assets import POSTURE
from dalp_dr_airflow.drill import Gathered
from dalp_dr_airflow.errors import CheckFailedError, CheckInconclusiveError
from dalp_dr_airflow.operators import posture
from dalp_dr_airflow.operators.claims import RecoveryClaimsOperator
from dalp_dr_airflow.operators.posture import PostureOperator
from dalp_dr_airflow.operators.posture_report import PostureReportOperator
from dalp_dr_airflow.watch import Watch
from fake_run import FakeRun
from synthetic_drill import ASKED, KEY, a_plan, private_pem


class OneRow(PostureOperator):
    """Records one kind that was prepared."""

    gathered: Gathered

    def gather(self, watch: Watch) -> list[Gathered]:
        return [self.gathered]


def git(commit: str | None) -> Gathered:
    return Gathered("configuration_history", history.ConfigurationHistory("main", commit, "2026-01-01T00:00:00Z", ()), "main")


@pytest.fixture
def watch_run(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    monkeypatch.setattr(Watch, "evidence", run.store)
    return run


def context(run: FakeRun, task_id: str = "lab.configuration") -> dict[str, Any]:
    found = run.context(task_id)
    found["dag_run"] = SimpleNamespace(dag_id="backup_posture", run_id="hourly-1", run_after=ASKED, run_type="scheduled")
    found["outlet_events"] = {POSTURE: SimpleNamespace(extra={})}
    return found


def ask(run: FakeRun, gathered: Gathered, expect_red: bool = False) -> None:
    task = OneRow(task_id="configuration", environment="lab")
    task.gathered = gathered
    with pytest.raises((CheckFailedError, CheckInconclusiveError)) if expect_red else nullcontext():
        task.execute(context(run))


def test_facts_are_recorded_outside_of_drills_before_they_are_judged(watch_run: FakeRun) -> None:
    with pytest.raises(CheckFailedError, match="repository_reachable"):
        ask(watch_run, git(None))
    [key] = watch_run.store.list("posture/lab/")
    assert key.endswith("/records/configuration_history--main--01.json")
    assert watch_run.store.list("drills/") == ()


def test_what_could_not_be_asked_is_inconclusive(watch_run: FakeRun) -> None:
    with pytest.raises(CheckInconclusiveError):
        ask(watch_run, Gathered("configuration_history", None, "main", "Git did not answer"))


def test_nothing_recorded_is_not_green(watch_run: FakeRun) -> None:
    class Nothing(PostureOperator):
        def gather(self, watch: Watch) -> list[Gathered]:
            return []

    with pytest.raises(CheckInconclusiveError):
        Nothing(task_id="nothing", environment="lab").execute(context(watch_run))


def report(run: FakeRun) -> tuple[dict[str, Any], dict[str, Any], Any]:
    event = context(run, "lab.posture")
    with pytest.raises((CheckFailedError, CheckInconclusiveError)) as raised:
        PostureReportOperator(task_id="posture", environment="lab").execute(event)
    whole = json.loads((run.home / "posture.json").read_text())["environments"]["lab"]
    return whole, event["outlet_events"][POSTURE].extra, raised.value


def test_the_report_names_every_question_and_what_changed(watch_run: FakeRun) -> None:
    with pytest.raises(CheckFailedError):
        ask(watch_run, git(None))
    said, event, error = report(watch_run)
    answers = {r["check"]: r["verdict"] for r in said["rows"] if r["surface"] == "configuration"}
    assert answers == {"repository_reachable": "fail", "values_committed": "inconclusive"}
    assert said["verdict"] == event["verdict"] == "fail"
    assert "repository_reachable" in str(error)
    assert any(line.startswith("repository_reachable (main) is fail") for line in event["changes"])
    assert "dalp_dr_posture_check" in (watch_run.home / "posture-lab.prom").read_text()
    assert len(json.dumps(event)) < 10_000


def test_a_report_without_records_is_not_green(watch_run: FakeRun) -> None:
    said, _, error = report(watch_run)
    assert said["verdict"] == "inconclusive"
    assert isinstance(error, CheckInconclusiveError)


def test_drills_are_read_from_the_ledger(watch_run: FakeRun) -> None:
    plan, store = a_plan("first"), watch_run.store
    store.put(f"drills/{plan.drill_id}/plan.json", records.encode_plan(plan))
    ledger.append(store, "opening", plan.drill_id, {"environment": "lab"}, private_pem(KEY), plan.asked_at)
    ledger.append(store, "opening", "d-20261006-00000000", {"environment": "another"}, private_pem(KEY), plan.asked_at)

    def found() -> list[tuple[str, bool, str | None]]:
        return [(d.drill_id, d.full, d.decision) for d in posture.held(Watch.look(context(watch_run), "lab"))]

    assert found() == [(plan.drill_id, True, None)], "under way"
    ledger.append(store, "decision", plan.drill_id, {"decision": "READY", "verdict": "pass"}, private_pem(KEY), plan.asked_at)
    assert found() == [(plan.drill_id, True, "READY")]


def test_a_green_posture_neither_earns_nor_extends_a_claim(watch_run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the claims workflow says is the same before and after a watch that found nothing, and so is everything it reads."""
    proven = ("bundles/", "ledger/", "drills/")

    def claims() -> Any:
        RecoveryClaimsOperator(task_id="claims_lab", environment="lab").execute(watch_run.context())
        said = json.loads((watch_run.home / "claims.json").read_text())["environments"]["lab"]
        return {k: v for k, v in said.items() if k not in ("at", "changes")}

    before = (claims(), {k: watch_run.store.get(k) for p in proven for k in watch_run.store.list(p)})
    ask(watch_run, git("a" * 40), expect_red=True)
    monkeypatch.setattr(standing, "judge", lambda record, plan: tuple((c, passed("", "")) for c in checks.checks_of(record.kind)))
    event = context(watch_run, "lab.posture")
    PostureReportOperator(task_id="posture", environment="lab").execute(event)
    assert event["outlet_events"][POSTURE].extra["verdict"] == "pass"
    assert (claims(), {k: watch_run.store.get(k) for p in proven for k in watch_run.store.list(p)}) == before
    assert not before[0]["publishable"]


def test_a_gateway_that_does_not_answer_changes_no_verdict(watch_run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from dalp_dr_airflow.hooks import pushgateway

    tried: list[str] = []

    def refuse(self: Any, environment: str, text: str) -> None:
        tried.append(environment)
        raise FactError("no answer", "")

    monkeypatch.setattr(pushgateway.PushgatewayHook, "replace", refuse)
    watch = Watch.look(context(watch_run), "lab")
    settings = watch.environment.posture.model_copy(update={"pushgateway": "gate", "textfile": str(watch_run.home / "a" / "b.prom")})
    watch.environment = watch.environment.model_copy(update={"posture": settings})
    PostureReportOperator(task_id="posture", environment="lab").publish(watch, "x 1\n")
    assert tried == ["lab"]
    assert (watch_run.home / "a" / "b.prom").read_text() == "x 1\n"


def test_the_gateway_gets_one_group_for_each_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from dalp_dr_airflow.hooks.pushgateway import PushgatewayHook

    monkeypatch.setenv("AIRFLOW_CONN_GATE", json.dumps({"conn_type": "http", "host": "http://gateway.example.com:9091"}))
    sent: list[Any] = []
    PushgatewayHook("gate", sent.append).replace("lab", "x 1\n")
    [request] = sent
    url = "http://gateway.example.com:9091/metrics/job/dalp_dr_posture/environment/lab"
    assert (request.method, request.full_url, request.data) == ("PUT", url, b"x 1\n")


def test_the_dag_reads_every_surface_and_ends_in_one_answer(dagbag: Any) -> None:
    dag = dagbag.dags["backup_posture"]
    leaves = {t.task_id for t in dag.tasks if not t.downstream_task_ids}
    assert "lab.posture" in leaves
    assert {leaf.partition(".")[2] for leaf in leaves} == {"posture"}, "one answer for each environment"
    assert {"lab.database", "lab.kubernetes_app", "lab.object_storage", "lab.configuration", "lab.drills"} <= set(dag.task_ids)
    assert (dag.max_active_runs, dag.catchup, dag.start_date) == (1, False, None)
    assert [t.task_id for t in dag.tasks if not t.execution_timeout] == []
    assert dag.get_task("lab.posture").trigger_rule == "all_done"


def test_wal_archive_facts_are_the_drill_s_own() -> None:
    """One judge, one answer: what the watch calls green preflight calls green."""
    from dalp_dr import catalogue

    shared = {c.id for c in checks.SHARED}
    assert {c.id for c in catalogue.CHECKS if c in checks.SHARED} == shared
    assert checks.KINDS["wal_archive"].facts is WalArchive
    own = {c.id for c in checks.CHECKS} - shared
    assert own.isdisjoint({c.id for c in catalogue.CHECKS}), "the watch adds nothing to a drill's checklist"


@pytest.mark.parametrize("there", [True, False])
def test_the_snapshot_api_is_looked_up_in_what_the_server_offers(watch_run: FakeRun, there: bool) -> None:
    class Source:
        def get(self, path: str) -> dict[str, Any]:
            assert path == "/apis"
            return {"groups": [{"name": "apps"}, *([{"name": "snapshot.storage.k8s.io"}] if there else [])]}

        def list(self, path: str) -> list[dict[str, Any]]:
            return [{"metadata": {"name": "x"}, "provisioner": "p"}]

    watch = Watch.look(context(watch_run), "lab")
    watch.source = Source()  # type: ignore[assignment]
    assert posture.storage(watch) == {"classes": {"x": "p"}, "drivers": {"x"}, "snapshots": there}
