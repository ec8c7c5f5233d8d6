"""What operators do to the outside: they adopt what is theirs, refuse what is not, and record before they judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from dalp_dr import catalogue, naming
from dalp_dr.errors import FactError, RefusedError
from dalp_dr.evidence import records
from dalp_dr.evidence.store import FolderStore
from dalp_dr.model.check import Verdict, failed, inconclusive, passed
from dalp_dr.model.record import Record
from dalp_dr.services import start
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.errors import CheckFailedError, CheckInconclusiveError, DrillRefusedError
from dalp_dr_airflow.hooks.errors import Missing
from dalp_dr_airflow.hooks.kubernetes_paths import path_of
from dalp_dr_airflow.operators import services
from dalp_dr_airflow.operators.base import DrillOperator
from dalp_dr_airflow.operators.isolate import SandboxOperator
from dalp_dr_airflow.operators.services import MUST_PASS_BEFORE_START, ServiceStartOperator
from dalp_dr_airflow.operators.velero import ATTEMPTS, VeleroRestoreOperator
from fake_run import FakeRun
from sandbox_sample import an_environment
from synthetic_drill import GOOD, CountFacts, a_plan
from velero_sample import a_workload, contents

RESULTS = {"errors": {}, "warnings": {}}
RESOURCES = {"v1/Secret": ["sandbox/dalp-signer(created)"]}


@dataclass
class FakeSandbox:
    """An API server that holds objects by path and remembers what was done to it, in order."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: list[tuple[str, str]] = field(default_factory=list)

    def put(self, *items: dict[str, Any]) -> None:
        self.objects |= {path_of(i): i for i in items}

    def get(self, path: str) -> dict[str, Any]:
        if path not in self.objects:
            raise Missing(f"{path} is not there.", "")
        return self.objects[path]

    def list(self, path: str, selector: str | None = None) -> list[dict[str, Any]]:
        return [o for p, o in self.objects.items() if p.rpartition("/")[0] == path]

    def create(self, item: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        self.done.append(("create", path_of(item)))
        self.put(item)
        return item, True

    def patch(self, path: str, patch: dict[str, Any]) -> None:
        self.done.append(("patch", path))

    def delete(self, path: str, uid: str, grace_seconds: int | None = None) -> bool:
        self.done.append(("delete", path))
        return self.objects.pop(path, None) is not None

    def can_i(self, *question: str) -> bool:
        return True

    def wait(self, path: str, ready: Callable[[Any], bool], seconds: float, what: str) -> None:
        self.done.append(("wait", path))


@dataclass
class FakeVelero:
    """Restores by name; what was made and what was cancelled."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    namespace: str = "velero"

    def restores(self) -> list[dict[str, Any]]:
        return list(self.found.values())

    def restore(self, name: str) -> dict[str, Any]:
        return self.found[name]

    def pod_volume_restores(self, name: str) -> list[dict[str, Any]]:
        return []

    def create_restore(self, manifest: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        name = manifest["metadata"]["name"]
        if name in self.found:
            return self.found[name], False
        self.made.append(name)
        self.found[name] = manifest
        return manifest, True

    def cancel(self, name: str) -> list[str]:
        self.cancelled.append(name)
        return [name]


@dataclass
class Outside:
    """The run and everything outside that its tasks touch."""

    run: FakeRun
    sandbox: FakeSandbox
    velero: FakeVelero
    store: SimpleNamespace

    def name(self, number: int, role: str = "app") -> str:
        return naming.restore_name(self.run.plan.drill_id, role, number)

    def add_restore(self, number: int, phase: str | None, labels: dict[str, str] | None = None, role: str = "app") -> None:
        name = self.name(number, role)
        own = naming.labels(self.run.plan.drill_id, "lab")
        self.velero.found[name] = {
            "metadata": {"name": name, "labels": own if labels is None else labels},
            "spec": {"backupName": self.run.plan.backup(role).backup},
            "status": {"phase": phase} if phase else {},
        }

    def records(self) -> list[Record]:
        keys = self.run.store.list(f"drills/{self.run.plan.drill_id}/records/")
        return [records.decode(self.run.store.get(key), key) for key in keys]


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outside:
    """A drill with the whole catalogue, evidence in a folder, and fakes of everything else."""
    store = FolderStore(tmp_path / "evidence")
    run = FakeRun(a_plan(environment=an_environment()), store, tmp_path / "home")
    run.freeze()
    files = SimpleNamespace(
        backup_contents=lambda name: contents(), restore_results=lambda name: RESULTS, restore_resource_list=lambda name: RESOURCES
    )
    made = Outside(run, FakeSandbox(), FakeVelero(), files)
    for hook, fake in (("evidence", store), ("sandbox", made.sandbox), ("velero", made.velero), ("backup_store", files)):
        monkeypatch.setattr(Drill, hook, fake)
    for name in ("BACKUP_STORE", "SANDBOX_OBJECT_READ"):
        connection = {"conn_type": "aws", "login": "reader", "password": "reads", "extra": {"endpoint_url": "http://10.9.0.1:8333"}}
        monkeypatch.setenv(f"AIRFLOW_CONN_DALP_{name}", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_CONN_DALP_RPC_PRIMARY", json.dumps({"conn_type": "http", "host": "http://10.9.0.3:8545"}))
    return made


# ---- record, then judge


class CountOperator(DrillOperator):
    """Records one good fact set."""

    def gather(self, drill: Drill, context: Any) -> list[Gathered]:
        return [Gathered("telemetry", GOOD)]


def test_facts_are_kept_even_when_a_judgement_crashes(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(facts: CountFacts, plan: Any) -> Any:
        raise ZeroDivisionError("no population")

    run.freeze()
    checks = [replace(c, judge=crash) if c.kind == "telemetry" else c for c in catalogue.CHECKS]
    monkeypatch.setattr(catalogue, "CHECKS", tuple(checks))
    with pytest.raises(ZeroDivisionError) as raised:
        CountOperator(task_id="count").execute(run.context())
    assert not isinstance(raised.value, AirflowFailException), "it is asked again"
    [key] = run.store.list(f"drills/{run.plan.drill_id}/records/")
    assert records.decode(run.store.get(key), key).facts == {"expected_count": 3, "found_count": 3, "differences": [], "ratio": None}


# ---- the restore


def restore(outside: Outside, role: str = "app") -> str:
    """The name of the Restore the operator waits for."""
    with pytest.raises(TaskDeferred) as raised:
        VeleroRestoreOperator(task_id="velero", role=role).execute(outside.run.context("restore.velero"))
    return str(raised.value.trigger.name)


def test_the_first_try_makes_policy_modifiers_and_restore(outside: Outside) -> None:
    assert restore(outside) == outside.name(1)
    assert outside.velero.made == [outside.name(1)]
    assert [p.rpartition("/")[2] for done, p in outside.sandbox.done if done == "create"] == [
        f"{outside.name(1)}-policy",
        f"{outside.name(1)}-modifiers",
    ]


@pytest.mark.parametrize("phase", [None, "InProgress", "Finalizing", "Completed"])
def test_a_rerun_adopts_the_restore_that_exists(outside: Outside, phase: str | None) -> None:
    outside.add_restore(1, phase)
    assert restore(outside) == outside.name(1)
    assert (outside.velero.made, outside.sandbox.done) == ([], [])


@pytest.mark.parametrize("phase", ["Failed", "PartiallyFailed", "FailedValidation"])
def test_after_a_failure_the_next_try_has_a_name_of_its_own(outside: Outside, phase: str) -> None:
    outside.add_restore(1, "Failed")
    outside.add_restore(2, phase)
    assert restore(outside) == outside.name(3)
    assert outside.velero.made == [outside.name(3)]


def test_numbers_are_compared_as_numbers(outside: Outside) -> None:
    for number in (9, 10):
        outside.add_restore(number, "Completed")
    assert restore(outside) == outside.name(10)


def test_a_restore_of_the_same_name_that_is_not_this_drills_is_not_adopted(outside: Outside) -> None:
    outside.add_restore(1, "Completed", labels={})
    with pytest.raises(RefusedError, match=f"Restore {outside.name(1)} exists and is not this drill's"):
        VeleroRestoreOperator(task_id="velero", role="app").execute(outside.run.context())
    assert outside.velero.made == []


def test_tries_come_to_an_end(outside: Outside) -> None:
    outside.add_restore(ATTEMPTS, "Failed")
    with pytest.raises(FactError, match=f"{ATTEMPTS} restores of app failed"):
        VeleroRestoreOperator(task_id="velero", role="app").execute(outside.run.context())
    assert outside.velero.made == []


@pytest.mark.parametrize("phase", ["InProgress", None])
def test_somebody_elses_restore_goes_first(outside: Outside, phase: str | None) -> None:
    outside.velero.found["production"] = {
        "metadata": {"name": "production"},
        "spec": {},
        "status": {"phase": phase} if phase else {},
    }
    with pytest.raises(FactError, match="Velero is restoring production, which is not a drill's"):
        VeleroRestoreOperator(task_id="velero", role="app").execute(outside.run.context())
    assert outside.velero.made == []


def finish(outside: Outside, status: str = "done") -> Any:
    event = {"name": outside.name(1), "status": status, "message": ""}
    operator = VeleroRestoreOperator(task_id="velero", role="app")
    return operator.execute_complete(outside.run.context("restore.velero"), event, "2026-10-06T06:01:00Z")


def a_held_pod(outside: Outside) -> dict[str, Any]:
    spec = {"initContainers": [{"name": naming.HOLD}], "containers": []}
    place = {"name": "dalp-worker-0", "namespace": outside.run.plan.namespace("app"), "uid": "u-1"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": place, "spec": spec, "status": {}}


def test_a_finished_restore_is_recorded_and_what_it_made_is_held(outside: Outside) -> None:
    outside.add_restore(1, "Completed")
    workload = a_workload("Deployment", "dalp-dapi")
    workload["metadata"]["namespace"] = outside.run.plan.namespace("app")
    pod = a_held_pod(outside)
    outside.sandbox.put(workload, pod)
    [small] = finish(outside)
    assert set(small) == {"uri", "sha256", "size", "verdict"} and small["verdict"] == "pass"
    [record] = outside.records()
    assert (record.kind, record.subject, record.began_at) == ("restore_run", "app", "2026-10-06T06:01:00Z")
    assert outside.sandbox.done[:2] == [("patch", path_of(workload)), ("delete", path_of(pod))]
    assert outside.velero.cancelled == []


def test_a_bad_restore_is_recorded_fails_and_is_not_asked_again(outside: Outside) -> None:
    outside.add_restore(1, "PartiallyFailed")
    with pytest.raises(CheckFailedError, match="restore_completed"):
        finish(outside)
    assert [r.kind for r in outside.records()] == ["restore_run"]


def test_a_restore_that_takes_too_long_is_cancelled_or_the_next_one_waits_behind_it(outside: Outside) -> None:
    outside.add_restore(1, "InProgress")
    with pytest.raises(CheckFailedError, match="InProgress"):
        finish(outside, "timeout")
    assert outside.velero.cancelled == [outside.name(1)]


def test_a_restore_whose_files_cannot_be_read_is_inconclusive(outside: Outside) -> None:
    def gone(name: str) -> Any:
        raise Missing("The results are not there.", "")

    outside.add_restore(1, "Completed")
    outside.store.restore_results = gone
    with pytest.raises(CheckInconclusiveError, match="restore_completed"):
        finish(outside)
    [record] = outside.records()
    assert record.facts is not None and record.facts["results_read"] is False


# ---- the sandbox


def test_the_sandbox_is_made_once_and_adopted_by_a_rerun(outside: Outside) -> None:
    SandboxOperator(task_id="sandbox").execute(outside.run.context())
    made = list(outside.sandbox.done)
    assert {("create", f"/api/v1/namespaces/{outside.run.plan.namespace(r)}") for r in outside.run.plan.roles} <= set(made)
    SandboxOperator(task_id="sandbox").execute(outside.run.context(try_number=2))
    assert outside.sandbox.done == made, "nothing is made twice"


@pytest.mark.parametrize("labels", [None, {}, {naming.LABEL_DRILL: "d-20260101-00000000"}], ids=["no labels", "empty", "another drill"])
def test_an_object_of_a_stranger_is_left_alone_and_refuses_the_drill(outside: Outside, labels: dict[str, str] | None) -> None:
    name = outside.run.plan.namespace("app")
    stranger = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **({} if labels is None else {"labels": labels})}}
    outside.sandbox.put(stranger)
    with pytest.raises(RefusedError, match=f"Namespace {name} exists and is not this drill's"):
        SandboxOperator(task_id="sandbox").execute(outside.run.context())
    assert path_of(stranger) not in [path for _, path in outside.sandbox.done]
    assert outside.sandbox.get(path_of(stranger)) is stranger


# ---- the start


class FakeDossier:
    """Every check that must pass before the start did, but one."""

    wrong: tuple[str, Verdict] | None = None
    subject = "app"

    def __init__(self, plan: Any, found: Any) -> None:
        pass

    def outcomes(self) -> list[Any]:
        made = {name: passed("e", "o") for name in MUST_PASS_BEFORE_START}
        if self.wrong:
            name, verdict = self.wrong
            made[name] = failed("e", "production's value") if verdict is Verdict.FAIL else inconclusive("e", "not run")
        return [SimpleNamespace(check=SimpleNamespace(id=n), subject=self.subject, result=r) for n, r in made.items()]


@pytest.fixture
def ready(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Outside:
    """Everything is restored and held, and the ground is proven."""
    monkeypatch.setattr(services, "Dossier", type("Proven", (FakeDossier,), {}))
    recovered = SimpleNamespace(healthy_at="2026-10-06T06:02:00Z")
    monkeypatch.setattr(Drill, "facts", lambda self, kind, subject="drill": recovered)
    for service in outside.run.plan.environment.services:
        kind, name = start.workload_of(service)
        workload = a_workload(kind, name, replicas=0, selector={"matchLabels": {"app": name}})
        workload["metadata"] |= {"namespace": outside.run.plan.namespace(service.role), "annotations": {naming.ANNOTATION_REPLICAS: "1"}}
        outside.sandbox.put(workload)
    return outside


def run_start(outside: Outside) -> None:
    ServiceStartOperator(task_id="services").execute(outside.run.context("start.services"))


def test_nothing_is_started_on_ground_that_nobody_looked_at(outside: Outside) -> None:
    with pytest.raises(DrillRefusedError, match="Nothing is started") as raised:
        run_start(outside)
    assert all(name in str(raised.value) for name in ("canaries_refused (before)", "secrets_sealed (app)"))
    assert outside.sandbox.done == []


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE])
@pytest.mark.parametrize("name", MUST_PASS_BEFORE_START)
def test_nothing_is_started_unless_each_of_these_passed(
    ready: Outside, monkeypatch: pytest.MonkeyPatch, name: str, verdict: Verdict
) -> None:
    monkeypatch.setattr(services.Dossier, "wrong", (name, verdict))
    with pytest.raises(DrillRefusedError, match=rf"Nothing is started: {name} \(app\)"):
        run_start(ready)
    assert ready.sandbox.done == []


def test_the_checks_that_must_pass_exist_in_the_catalogue() -> None:
    assert set(MUST_PASS_BEFORE_START) <= {c.id for c in catalogue.CHECKS}


def test_nothing_is_started_without_a_database(ready: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Drill, "facts", lambda self, kind, subject="drill": SimpleNamespace(healthy_at=None))
    with pytest.raises(DrillRefusedError, match="the restored database is not there"):
        run_start(ready)
    assert ready.sandbox.done == []


def test_services_start_in_their_order_behind_their_routes_and_workers_last(ready: Outside) -> None:
    run_start(ready)
    started = [p.rpartition("/")[2] for done, p in ready.sandbox.done if done == "patch" and "/secrets/" not in p]
    order = {s.name: s.order for s in ready.run.plan.environment.services}
    assert sorted(started) == sorted(order)
    assert [order[name] for name in started] == sorted(order.values())
    assert started[-1] == "dalp-worker"
    [key] = [i for i, (done, p) in enumerate(ready.sandbox.done) if done == "patch" and p.endswith("/secrets/dalp-object-storage")]
    first = next(i for i, (done, p) in enumerate(ready.sandbox.done) if done == "patch" and "/apis/apps/" in p)
    assert key < first, "no service starts with a sealed key to its documents"


def test_a_group_waits_for_the_group_before_it(ready: Outside) -> None:
    run_start(ready)
    steps = [(done, p.rpartition("/")[2]) for done, p in ready.sandbox.done]
    assert steps.index(("wait", "dalp-erpc")) < steps.index(("patch", "dalp-indexer"))
    assert steps.index(("wait", "dalp-dapp")) < steps.index(("patch", "dalp-worker"))
