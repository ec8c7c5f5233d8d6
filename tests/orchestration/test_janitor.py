"""The janitor on a fake cluster: dead drills' things go, living ones' stay, copies are named; and `stop` beside it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dalp_dr import lease, naming
from dalp_dr.cli import command
from dalp_dr.cli import stop as stop_cli
from dalp_dr.errors import EvidenceError, InputError, RefusedError
from dalp_dr.evidence import canonical, ledger, records
from dalp_dr.model.plan import utc
from dalp_dr_airflow import fence, stop
from dalp_dr_airflow.drill import Drill
from dalp_dr_airflow.errors import LeftBehindError
from dalp_dr_airflow.hooks.errors import NoAnswer
from dalp_dr_airflow.operators import abort, teardown
from dalp_dr_airflow.operators import janitor as janitor_module
from dalp_dr_airflow.operators import seal as sealing
from dalp_dr_airflow.operators.janitor import Janitor, SandboxJanitorOperator, Sweep
from dalp_dr_airflow.operators.teardown import SandboxTeardownOperator
from fake_run import FakeRun
from synthetic_drill import KEY, CountFacts, private_pem
from test_removal import FakeCluster, FakeStore, FakeVelero

SOON = timedelta(hours=1)


class Lab:
    """One opened drill with its objects on a fake cluster, and what Airflow says about its run."""

    def __init__(self, run: FakeRun, cluster: FakeCluster) -> None:
        self.run, self.plan, self.cluster = run, run.plan, cluster
        self.now = utc(run.plan.asked_at) + SOON

    def put(self, kind: str, name: str, namespace: str | None, **labels: str) -> None:
        metadata = {"name": name, "labels": self.plan.labels | labels} | ({"namespace": namespace} if namespace else {})
        self.cluster.put({"apiVersion": "velero.io/v1" if kind == "Restore" else "v1", "kind": kind, "metadata": metadata})

    def fill(self) -> None:
        name = naming.restore_name(self.plan.drill_id, "app")
        self.put("ConfigMap", f"{name}-policy", "velero")
        self.put("Restore", name, "velero")
        for role in self.plan.roles:
            self.put("Namespace", self.plan.namespace(role), None)

    def hold(self, holder: str, hours: float = 1) -> None:
        self.cluster.put(lease.manifest("dalp-dr", self.plan.environment.name, holder, self.now, hours))

    def kept(self) -> None:
        ledger.append(
            self.run.store, "teardown", self.plan.drill_id, {"kept_until": self.plan.expires_at}, private_pem(KEY), "2026-10-06T07:00:00Z"
        )

    def says(self, state: str | Exception | None) -> None:
        def answer(dag_id: str, run_id: str) -> str | None:
            if isinstance(state, Exception):
                raise state
            return state

        self.run.airflow.run_state = answer

    def kinds(self) -> list[str]:
        return [entry.kind for entry in ledger.entries(self.run.store)]

    def sweep(self, after: timedelta = SOON) -> Sweep:
        return Janitor(self.plan.environment).sweep(utc(self.plan.asked_at) + after)


@pytest.fixture
def lab(good_run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> Lab:
    run, cluster = good_run, FakeCluster()
    for module in (sealing, abort):
        monkeypatch.setattr(module, "publish", lambda drill, folder: None)
    monkeypatch.setattr(Drill, "facts", lambda self, kind, subject="drill": CountFacts(1, 1))
    monkeypatch.setattr(Drill, "sandbox", cluster)
    monkeypatch.setattr(Drill, "velero", FakeVelero(cluster))
    monkeypatch.setattr(Drill, "backup_store", FakeStore())
    monkeypatch.setattr(stop, "environment_of", lambda name: run.plan.environment)
    monkeypatch.setattr(janitor_module, "environment_of", lambda name: run.plan.environment)
    payload = {
        "plan_sha256": canonical.sha256(records.encode_plan(run.plan)),
        "environment": run.plan.environment.name,
        "started_by": "sam",
    }
    ledger.append(run.store, "opening", run.plan.drill_id, payload, private_pem(KEY), run.plan.asked_at)
    found = Lab(run, cluster)
    found.says("failed")
    found.fill()
    return found


# ---- the janitor


DEAD: dict[str, Callable[[Lab], None]] = {
    "its run failed and nobody tore down": lambda lab: None,
    "its run is gone from Airflow": lambda lab: lab.says(None),
    "its worker died with the lease": lambda lab: lab.hold(lab.plan.drill_id),
    "Airflow is silent and no lease is held": lambda lab: lab.says(NoAnswer("silence")),
    "another drill holds the lease": lambda lab: lab.hold("d-20261006-ffffffff"),
}


@pytest.mark.parametrize("case", DEAD)
def test_what_a_dead_drill_left_is_removed_and_its_entry_closed(lab: Lab, case: str) -> None:
    DEAD[case](lab)
    found = lab.sweep()
    assert found.problems == [] and set(found.removed) == {lab.plan.drill_id}
    left = [path for path in lab.cluster.objects if "/leases/" not in path]
    assert left == []
    assert lab.kinds() == ["opening", "seal", "aborted", "teardown"]
    holders = [lease.holder(o).drill_id for o in lab.cluster.objects.values()]
    assert holders == (["d-20261006-ffffffff"] if case.startswith("another") else []), "only a living drill's lease stays"


ALIVE: dict[str, tuple[Callable[[Lab], None], timedelta]] = {
    "its run is under way": (lambda lab: lab.says("running"), SOON),
    "it holds the lease, beyond its expiry": (lambda lab: (lab.says("running"), lab.hold(lab.plan.drill_id, 99))[0], timedelta(hours=48)),
    "Airflow is silent, its lease is alive": (lambda lab: (lab.says(NoAnswer("silence")), lab.hold(lab.plan.drill_id))[0], SOON),
    "it is kept for on-call": (lambda lab: lab.kept(), SOON),
}


@pytest.mark.parametrize("case", ALIVE)
def test_a_living_drill_is_never_touched(lab: Lab, case: str) -> None:
    prepare, after = ALIVE[case]
    prepare(lab)
    before, entries = dict(lab.cluster.objects), lab.kinds()
    found = lab.sweep(after)
    assert (lab.cluster.objects, lab.kinds()) == (before, entries)
    assert set(found.kept) == {lab.plan.drill_id} and lab.cluster.deleted == []


def test_a_kept_sandbox_goes_when_it_expires(lab: Lab) -> None:
    lab.kept()
    assert set(lab.sweep(timedelta(hours=48)).removed) == {lab.plan.drill_id}


def test_a_copy_of_our_labels_is_named_and_left_alone(lab: Lab) -> None:
    lab.put("Namespace", "somebodys", None, **{naming.LABEL_TOKEN: "copied"})
    task: Any = SandboxJanitorOperator(task_id="janitor", environment=lab.plan.environment.name)
    with pytest.raises(LeftBehindError, match=r"namespaces/somebodys \(not ours"):
        task.execute(lab.run.context("janitor"))
    assert "/api/v1/namespaces/somebodys" in lab.cluster.objects


def test_a_drill_that_no_plan_proves_is_named_and_left_alone(lab: Lab) -> None:
    lab.says("running")
    lab.put("Namespace", "dalp-drill-unknown-app", None, **{naming.LABEL_DRILL: "d-20260101-00000000"})
    found = lab.sweep()
    (problem,) = found.problems
    assert problem.startswith("d-20260101-00000000: the evidence store has no plan")
    assert lab.cluster.deleted == []


def test_a_run_that_died_before_it_had_a_sandbox_does_not_stay_open(lab: Lab) -> None:
    lab.cluster.objects.clear()
    lab.hold(lab.plan.drill_id)
    found = lab.sweep()
    assert (found.removed, found.closed, lab.kinds()) == ({}, [lab.plan.drill_id], ["opening", "seal", "aborted"])
    assert lab.cluster.objects == {}, "the lease is given back"
    assert lab.sweep() == Sweep(), "a second round finds nothing to do"


def test_one_drill_that_cannot_be_looked_at_does_not_keep_it_from_the_others(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.put("Namespace", "dalp-drill-00000000-app", None, **{naming.LABEL_DRILL: "d-20260101-00000000"})
    look = Janitor.standing

    def standing(self: Janitor, drill: Drill) -> Any:
        if drill.drill_id.endswith("00000000"):
            raise EvidenceError("the store did not answer", "")
        return look(self, drill)

    monkeypatch.setattr(Janitor, "standing", standing)
    found = lab.sweep()
    assert set(found.removed) == {lab.plan.drill_id} and "the store did not answer" in found.problems[0]


# ---- stop


def stop_words(lab: Lab, *words: str) -> int:
    return stop.main([lab.plan.environment.name, "--within", "0", *words])


def test_stop_fences_removes_seals_and_gives_the_lease_back(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.now = datetime.now(UTC)
    lab.hold(lab.plan.drill_id)
    assert stop_words(lab, "--reason", "the platform is on fire") == stop.DONE, capsys.readouterr()
    assert lab.cluster.objects == {}
    assert lab.kinds() == ["opening", "seal", "aborted", "teardown"]
    found = lab.run.summary()
    assert (found["decision"], found["outcome"]) == ("FIX", "aborted")
    assert "the platform is on fire" in str(found["reasons"])
    with pytest.raises(RefusedError, match="the platform is on fire"):
        Drill.open(lab.run.context()).begin()  # type: ignore[arg-type]
    assert stop_words(lab, "--drill", lab.plan.drill_id, "--reason", "again") == stop.DONE
    assert lab.kinds() == ["opening", "seal", "aborted", "teardown"], "a second stop finds it stopped"


def test_after_a_stop_the_runs_own_last_tasks_add_nothing(lab: Lab) -> None:
    lab.hold(lab.plan.drill_id)
    stop_words(lab, "--reason", "enough")
    sealed = sealing.SealEvidenceOperator(task_id="evidence").execute(lab.run.context("seal.evidence"))
    assert sealed["outcome"] == "aborted"
    SandboxTeardownOperator(task_id="sandbox").execute(lab.run.context("teardown.sandbox"))
    assert lab.kinds() == ["opening", "seal", "aborted", "teardown"]


def test_an_incident_takes_the_lease_and_gives_it_back_when_it_is_over(lab: Lab) -> None:
    lab.now = datetime.now(UTC)
    lab.hold(lab.plan.drill_id)
    assert stop_words(lab, "--incident", "INC-7") == stop.DONE
    (held,) = (lease.holder(o) for o in lab.cluster.objects.values())
    assert held.drill_id == "incident INC-7"
    other = Drill("d-20261006-ffffffff", lab.plan.environment, "plan.freeze", 1)
    with pytest.raises(RefusedError, match="INC-7 has the right of way"):
        fence.hold_lease(other)
    assert stop_words(lab, "--incident-over") == stop.DONE and lab.cluster.objects == {}
    assert stop_words(lab, "--incident-over") == stop.NOT_ASKED
    fence.hold_lease(other)


def test_what_could_not_be_removed_is_named_and_the_lease_stays(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.hold(lab.plan.drill_id)
    lab.cluster.stuck.add(f"/api/v1/namespaces/{lab.plan.namespace('app')}")
    assert stop_words(lab, "--reason", "enough") == stop.LEFT
    assert "example.com/hold" in capsys.readouterr().err
    assert any("/leases/" in path for path in lab.cluster.objects)


def test_without_the_evidence_store_a_drill_is_removed_all_the_same(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan's local copy is enough to prove what is the drill's."""
    lab.hold(lab.plan.drill_id)
    copy = lab.run.home / "drills" / lab.plan.drill_id / "plan.json"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(records.encode_plan(lab.plan))

    class Down:
        def __getattr__(self, name: str) -> Any:
            raise EvidenceError("the evidence store did not answer", "")

    monkeypatch.setattr(Drill, "evidence", Down())
    assert stop_words(lab, "--reason", "enough") == stop.LEFT
    assert [path for path in lab.cluster.objects if "/leases/" not in path] == []


def test_nothing_is_stopped_where_nothing_runs(lab: Lab) -> None:
    assert stop_words(lab, "--reason", "enough") == stop.NOT_ASKED
    assert lab.cluster.deleted == []


def test_a_stop_without_a_reason_is_refused_before_anything_is_started() -> None:
    assert command.main(["stop", "lab"]) == command.USAGE_ERROR
    chosen = command.parser().parse_args(["stop", "lab", "--reason", "why not", "--drill", "d-1", "--json"])
    assert stop.arguments().parse_args(stop_cli.words(chosen)) == argparse.Namespace(
        environment="lab",
        reason="why not",
        drill="d-1",
        incident=None,
        incident_hours=24.0,
        incident_over=False,
        within=180,
        json=True,
    )
    with pytest.raises(InputError):
        stop_cli.run(command.parser().parse_args(["stop", "lab"]))


def test_a_run_marked_failed_is_torn_down_without_waiting_for_its_expiry(lab: Lab) -> None:
    lab.run.airflow.rows.append(
        {
            "event": "patch_dag_run",
            "owner": "oscar",
            "when": "2026-10-06T06:05:00Z",
            "dag_id": lab.plan.dag_id,
            "run_id": lab.plan.run_id,
            "extra": '{"state": "failed", "note": "a real incident"}',
        }
    )
    lab.hold(lab.plan.drill_id)
    assert teardown.GONE_SECONDS <= 180
    SandboxTeardownOperator(task_id="sandbox").execute(lab.run.context("teardown.sandbox"))
    assert lab.cluster.objects == {} and lab.kinds() == ["opening", "seal", "aborted", "teardown"]
    assert "oscar set the run to failed" in str(lab.run.summary()["reasons"])
