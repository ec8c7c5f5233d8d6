"""What operators do to the outside: they adopt what is theirs, refuse what is not, and record before they judge."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dalp_dr import catalogue, naming
from dalp_dr.errors import RefusedError
from dalp_dr.evidence import records
from dalp_dr.model.check import Verdict, failed, inconclusive, passed
from dalp_dr.services import start
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.errors import DrillRefusedError
from dalp_dr_airflow.hooks.kubernetes_paths import path_of
from dalp_dr_airflow.operators import services
from dalp_dr_airflow.operators.base import DrillOperator
from dalp_dr_airflow.operators.isolate import SandboxOperator
from dalp_dr_airflow.operators.services import MUST_PASS_BEFORE_START, ServiceStartOperator
from fake_outside import Outside
from fake_run import FakeRun
from synthetic_drill import GOOD, CountFacts
from velero_sample import a_workload

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


def test_a_stranger_who_was_quicker_refuses_the_drill_too(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the creation somebody else made the object: the API server says that it exists."""
    monkeypatch.setattr(outside.sandbox, "create", lambda item: ({"metadata": {"name": item["metadata"]["name"]}}, False))
    with pytest.raises(RefusedError, match="exists and is not this drill's"):
        SandboxOperator(task_id="sandbox").execute(outside.run.context())


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


def test_the_record_of_the_start_says_what_each_service_took(ready: Outside) -> None:
    run_start(ready)
    [record] = [r for r in ready.records() if r.kind == "service_start"]
    assert record.facts is not None
    assert sorted(s["service"] for s in record.facts["services"]) == sorted(s.name for s in ready.run.plan.environment.services)
    assert all(s["seconds"] >= 0 for s in record.facts["services"])


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
