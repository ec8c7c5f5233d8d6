"""Drills that are hit in their middle, on the lab's real servers: crashes change nothing, a stop leaves nothing.

The tests stand in the order in which they must run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.evidence import bundle
from dalp_dr_lab import airflow, ground
from dalp_dr_lab.airflow import components
from dalp_dr_lab.crashes import matrix, registry
from dalp_dr_lab.drill.rest import AirflowApi, DagRun
from dalp_dr_lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.drill]

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 180
OWNED = "dalp-dr/owned-by=dalp-recovery-drill"
IN_AIRFLOW = [one.name for one in registry.CRASHES.values() if one.group == "airflow"]


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """A command of the project, as typed; its words go to the test's output."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, text=True, capture_output=True, check=False)
    print(done.stdout[-6000:], done.stderr[-3000:])
    return done


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab; taken down afterwards unless it ran before."""
    ran = ground.status(Lab.load())["running"]
    assert command("dalp_dr_lab", "up").returncode == 0
    assert command("dalp_dr_lab", "backup").returncode == 0
    yield Lab.load()
    if not ran:
        assert command("dalp_dr_lab", "down").returncode == 0


def api(lab: Lab) -> AirflowApi:
    found = airflow.env(lab)
    users = dict(pair.split(":", 1) for pair in found["AIRFLOW_USERS"].split(","))
    return AirflowApi(found["AIRFLOW_URL"], "operator", users["operator"])


def owned(lab: Lab) -> list[str]:
    """Everything with our label: what a drill has made and nobody has removed."""
    kinds = ("namespaces", "restores.velero.io", "configmaps", "leases.coordination.k8s.io")
    found = [json.loads(lab.kubectl("get", kind, "-A", "-l", OWNED, "-o", "json"))["items"] for kind in kinds]
    volumes = json.loads(lab.kubectl("get", "persistentvolumes", "-o", "json"))["items"]
    drills = [v["metadata"]["name"] for v in volumes if v["spec"].get("claimRef", {}).get("namespace", "").startswith("dalp-drill-")]
    return [f"{i['kind']} {i['metadata']['name']}" for items in found for i in items] + drills


def wait_for(what: str, ready: Any, seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(1)
    return found


def started(lab: Lab, *until: tuple[str, tuple[str, ...]]) -> tuple[DagRun, str]:
    """A drill that has come to one of these tasks and states, and its id."""
    client = api(lab)
    client.unpause("quarterly_drill")
    run = client.trigger("quarterly_drill", {"environment": "lab"}, "To be hit in its middle")

    def there() -> bool:
        states = {one.task_id: one.state for one in client.task_instances(run.dag_id, run.run_id)}
        return any(states.get(task) in wanted for task, wanted in until)

    wait_for("the middle of the drill", there, 240)
    (holder,) = json.loads(lab.kubectl("get", "leases", "-n", "dalp-dr", "-o", "json"))["items"]
    return run, holder["spec"]["holderIdentity"]


def summary(lab: Lab, drill_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((lab.home / "drills" / drill_id / "summary.json").read_text())
    return found


def ledger(lab: Lab, drill_id: str) -> list[str]:
    return [path.stem.rsplit("-", 1)[-1] for path in sorted((lab.home / "ledger").glob(f"*-{drill_id}-*.json"))]


def test_airflow_dies_piece_by_piece_and_the_drill_ends_ready_all_the_same(lab: Lab) -> None:
    """Scheduler, triggerer, a task right after it made something, API server, metadata database: one drill, one of each thing."""
    before = {path.name for path in (lab.home / "drills").glob("d-*")}
    done = command("dalp_dr_lab", "drill", "--crash", ",".join(IN_AIRFLOW))
    (made,) = [path for path in (lab.home / "drills").glob("d-*") if path.name not in before]
    assert matrix.judge(lab, made, IN_AIRFLOW, done.returncode) == []
    assert owned(lab) == [], "nothing is left of it"


def test_a_real_incident_stops_a_drill_while_airflow_is_down(lab: Lab) -> None:
    run, drill_id = started(lab, ("restore.kubernetes_app", ("deferred", "running")))
    assert any(name.startswith("Namespace") for name in owned(lab))
    components.stop(lab, components.COMPONENTS)
    began = time.monotonic()
    assert command("dalp_dr_lab", "stop", "--incident", "INC-7", "--reason", "the platform is on fire").returncode == 0
    assert time.monotonic() - began < STOP_SECONDS
    assert owned(lab) == ["Lease dalp-drill-lab"], "held by the incident"
    found = summary(lab, drill_id)
    assert (found["decision"], found["outcome"]) == ("FIX", "aborted")
    assert "the platform is on fire" in str(found["reasons"])
    assert ledger(lab, drill_id) == ["opening", "seal", "aborted", "teardown"]
    assert bundle.read(lab.home / "drills" / drill_id / "bundle").aborted
    airflow.up(lab)
    wait_for("the end of the run", lambda: api(lab).run(run.dag_id, run.run_id).ended, 240)
    assert api(lab).run(run.dag_id, run.run_id).state == "failed"
    assert owned(lab) == ["Lease dalp-drill-lab"], "what Airflow still did has made nothing"
    client = api(lab)
    refused = client.trigger("quarterly_drill", {"environment": "lab"}, "In the middle of an incident")
    wait_for("the refusal", lambda: client.run(refused.dag_id, refused.run_id).ended, 120)
    assert "INC-7 has the right of way" in str(client.xcom(refused, "plan.freeze", key="refusal"))
    assert command("dalp_dr_lab", "stop", "--incident-over").returncode == 0
    assert owned(lab) == []


def test_a_run_marked_failed_is_torn_down_and_the_janitor_leaves_living_drills_alone(lab: Lab) -> None:
    run, drill_id = started(lab, ("restore.kubernetes_app", ("deferred", "running")))
    client = api(lab)
    client.unpause("sandbox_janitor")
    round_one = client.trigger("sandbox_janitor", {}, "While a drill runs")
    wait_for("the janitor's round", lambda: client.run(round_one.dag_id, round_one.run_id).ended, 120)
    assert client.run(round_one.dag_id, round_one.run_id).state == "success"
    assert any(name.startswith("Namespace") for name in owned(lab)), "the drill is alive"
    client.end(run, "somebody needs the room")
    wait_for("the teardown", lambda: "teardown" in ledger(lab, drill_id), STOP_SECONDS + 60)
    assert owned(lab) == []
    assert summary(lab, drill_id)["outcome"] == "aborted"
    assert ledger(lab, drill_id) == ["opening", "seal", "aborted", "teardown"]


def test_the_janitor_removes_what_a_dead_drill_left_and_names_what_is_not_ours(lab: Lab) -> None:
    run, drill_id = started(lab, ("restore.kubernetes_app", ("deferred", "running")))
    client = api(lab)
    components.stop(lab, ["airflow-scheduler", "airflow-triggerer"])
    client.end(run, "its scheduler is dead")
    client.forget(run)
    airflow.up(lab)
    copied = (f"dalp-dr/drill-id={drill_id}", OWNED, "dalp-dr/environment=lab", "dalp-dr/token=copied")
    lab.kubectl("create", "namespace", "somebodys")
    lab.kubectl("label", "namespace", "somebodys", *copied)
    sweep = client.trigger("sandbox_janitor", {}, "After a drill died")
    wait_for("the janitor's round", lambda: client.run(sweep.dag_id, sweep.run_id).ended, 300)
    assert client.run(sweep.dag_id, sweep.run_id).state == "failed", "a person must look at what is not ours"
    assert owned(lab) == ["Namespace somebodys"]
    assert ledger(lab, drill_id) == ["opening", "seal", "aborted", "teardown"]
    lab.kubectl("delete", "namespace", "somebodys")
