"""Whole drills through Airflow on the lab's real servers, started as a person starts them: one green, some that stop early, one broken.

Each test runs `python -m dalp_dr_lab drill ...` and believes the files it leaves, the exit status and ordinary clients, not
its words. The tests stand in the order in which they must run: what breaks the lab comes last.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.evidence import bundle
from dalp_dr.isolation import audit_log
from dalp_dr.model import environment_file
from dalp_dr_lab import ground
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.lab import NAMESPACES, Lab

pytestmark = [pytest.mark.lab, pytest.mark.drill]

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "dalp-drill-"
SEVEN = {
    "backup",
    "restore_target",
    "database_recovery_point",
    "namespace_inventory",
    "object_versions",
    "application_health",
    "reconciliation",
}


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """A command of the project, as typed; its words go to the test's output."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, text=True, capture_output=True, check=False)
    print(done.stdout[-6000:], done.stderr[-3000:])
    return done


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab; taken down afterwards unless it ran before."""
    ran = ground.status(Lab.load())["running"]
    yield Lab.load()
    if not ran:
        take_down(Lab.load())


def take_down(lab: Lab) -> None:
    """`down`, and a look with ordinary tools at what it left: nothing but evidence."""
    assert command("dalp_dr_lab", "down").returncode == 0
    addresses, routes = (subprocess.run(["ip", what], text=True, capture_output=True, check=True).stdout for what in ("address", "route"))
    assert "10.250." not in addresses and "10.250." not in routes
    mounts = Path("/proc/mounts").read_text()
    assert str(lab.cluster_home) not in mounts and str(lab.folder) not in mounts


class Ended:
    """A drill that has ended: exit status and what it left."""

    def __init__(self, lab: Lab, *words: str) -> None:
        before = {folder.name for folder in drills(lab)}
        self.status = command("dalp_dr_lab", "drill", *words).returncode
        made = [folder for folder in drills(lab) if folder.name not in before]
        assert len(made) == 1, f"{len(made)} drills were made"
        self.folder = made[0]
        self.summary: dict[str, Any] = json.loads((self.folder / "summary.json").read_text())

    @property
    def failed_checks(self) -> set[str]:
        return {reason["check"] for reason in self.summary["reasons"]}

    @property
    def failed(self) -> set[str]:
        return {reason["check"] for reason in self.summary["reasons"] if reason["verdict"] == "fail"}

    def findings(self, check: str) -> str:
        return " ".join(str(r["findings"]) + str(r["observed"]) for r in self.summary["reasons"] if r["check"] == check)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted((self.folder / "bundle/records").glob("*.json"))]

    def sandboxes(self, lab: Lab) -> list[str]:
        found = json.loads(lab.kubectl("get", "namespaces", "-o", "json", "-l", f"dalp-dr/drill-id={self.summary['drill_id']}"))
        return [item["metadata"]["name"] for item in found["items"]]

    def restores(self, lab: Lab) -> list[str]:
        found = json.loads(lab.kubectl("get", "restores.velero.io", "-n", "velero", "-o", "json"))
        return [
            r["metadata"]["name"] for r in found["items"] if r["metadata"]["labels"].get("dalp-dr/drill-id") == self.summary["drill_id"]
        ]


def drills(lab: Lab) -> list[Path]:
    root = lab.home / "drills"
    return [p for p in root.glob("d-*") if (p / "summary.json").exists()] if root.is_dir() else []


def production(lab: Lab) -> dict[str, str]:
    """uid and generation, or resourceVersion where there is none, of everything in production that only a person changes."""
    seen = {}
    for namespace in NAMESPACES:
        kinds = "deployments,statefulsets,services,secrets,configmaps,ingresses,persistentvolumeclaims,networkpolicies"
        for item in json.loads(lab.kubectl("get", kinds, "-n", namespace, "-o", "json"))["items"]:
            meta = item["metadata"]
            version = meta.get("generation") or json.dumps([item.get("data"), item.get("spec")], sort_keys=True)
            seen[f"{namespace}/{item['kind']}/{meta['name']}"] = f"{meta['uid']} {version}"
    return seen


ENVIRONMENT = environment_file.read(ROOT / "include/environments/lab.yaml")


def audited(since: datetime) -> list[str]:
    """What the API server itself says that anybody did since a moment."""
    lines = Cluster.of(0).audit_log.read_text().splitlines()
    return [line for line in lines if datetime.fromisoformat(json.loads(line)["requestReceivedTimestamp"]) >= since]


def delivered(lab: Lab, since: str) -> list[str]:
    """Webhooks, mail and custody calls that reached the outside since a moment."""
    found = json.loads(lab.kubectl("get", "--raw", "/api/v1/namespaces/outside/services/sink:8080/proxy/received"))["data"]
    return [one["text"] for one in found if one["at"] >= datetime.fromisoformat(since).timestamp()]


def foreign_wal(lab: Lab) -> list[str]:
    """Keys in the archive that production's timeline 1 did not write."""
    pages = lab.s3("admin").get_paginator("list_objects_v2").paginate(Bucket="dalp-wal", Prefix="prod/dalp-pg/wals/")
    names = [item["Key"].rsplit("/", 1)[-1] for page in pages for item in page.get("Contents", [])]
    return [name for name in names if not name.startswith("00000001")]


def verify(folder: Path, *words: str) -> int:
    return command("dalp_dr", "verify", str(folder), *words).returncode


def test_a_green_drill_is_ready_for_good_reasons(lab: Lab, tmp_path: Path) -> None:
    assert command("dalp_dr_lab", "up").returncode == 0
    before, begun = production(lab), datetime.now(UTC)
    drill = Ended(lab)
    summary = drill.summary
    assert (drill.status, summary["decision"], summary["verdict"], summary["reasons"]) == (0, "READY", "pass", [])
    assert 0 < summary["rto_seconds"] <= summary["rtt_seconds"] <= summary["targets"]["rtt_seconds"]
    assert all(summary["rpo_by_surface"][surface] is not None for surface in summary["targets"]["rpo_seconds"])
    assert (drill.folder / "report.html").stat().st_size > 10_000
    assert (drill.folder / "report.pdf").read_bytes().startswith(b"%PDF")
    facts = {record["kind"] for record in drill.records() if record["facts"] is not None}
    assert facts >= SEVEN
    assert drill.sandboxes(lab) == [] and drill.restores(lab) == [], "the sandbox is gone"
    runs = [record["facts"]["restore"] for record in drill.records() if record["kind"] == "restore_run"]
    assert len(runs) == len(set(runs)) == len(NAMESPACES), "one Restore for each namespace"
    assert production(lab) == before, "production is never written"
    assert foreign_wal(lab) == []
    called = audit_log.compare(audited(begun), ENVIRONMENT)
    assert (called.unnamed, called.uncalled) == ((), ()), "what it may do is what it does"
    started = next(phase["started_at"] for phase in summary["phases"] if phase["name"] == "start")
    assert delivered(lab, started) == [], "nothing of the restored copy reached the outside"
    alone = tmp_path / "auditor"
    shutil.copytree(drill.folder / "bundle", alone / "bundle")
    shutil.copytree(lab.home / "ledger", alone / "ledger")
    key = shutil.copy(lab.home / "keys/evidence.pub", alone / "evidence.pub")
    assert verify(alone / "bundle", "--key", str(key), "--ledger", str(alone / "ledger")) == 0
    record = next((alone / "bundle/records").glob("reconciliation--*.json"))
    record.write_bytes(record.read_bytes().replace(b'"error":null', b'"error":"no"', 1))
    assert verify(alone / "bundle", "--key", str(key)) == 3, "a changed byte is found"


def test_the_watch_between_drills_is_green_and_names_a_paused_schedule(lab: Lab) -> None:
    """After a READY drill every question passes or is a declared deviation; one paused schedule turns it red; nothing claims anything."""

    def pause(paused: bool) -> None:
        patch = json.dumps({"spec": {"paused": paused}})
        lab.kubectl("-n", "velero", "patch", "schedules.velero.io", "dalp-daily", "--type=merge", "--patch", patch)

    def looked() -> tuple[int, dict[str, Any]]:
        status = command("dalp_dr_lab", "posture").returncode
        return status, json.loads((lab.home / "posture.json").read_text())["environments"]["lab"]

    before = production(lab)
    status, found = looked()
    assert (status, found["verdict"]) == (0, "pass")
    assert {r["check"] for r in found["rows"] if r["accepted"]} == {"retention_table_kept"}
    pause(True)
    try:
        status, found = looked()
    finally:
        pause(False)
    assert status == 1
    assert {"backup_schedule_active", "chart_settings_live"} <= {r["check"] for r in found["rows"] if r["verdict"] == "fail"}
    assert production(lab) == before, "production is only read"
    assert not json.loads((lab.home / "claims.json").read_text())["environments"]["lab"]["publishable"]


def test_a_target_before_the_latest_operations_is_ready_too(lab: Lab) -> None:
    """Production goes on after the recovery point: the restored index goes past what the restored records can know."""
    assert command("dalp_dr_lab", "backup").returncode == 0
    target = datetime.now(UTC).isoformat(timespec="seconds")
    drill = Ended(lab, "--policy", "timestamp", "--value", target, "--route-switch")  # traffic and younger backups come first
    assert (drill.status, drill.summary["decision"], drill.summary["reasons"]) == (0, "READY", [])
    plan = json.loads((drill.folder / "bundle/plan.json").read_text())
    assert plan["database"]["target_time"].startswith(target[:19])
    assert all(backup["completed_at"] <= plan["incident_time"] for backup in plan["backups"]), "nothing younger was used"
    assert drill.summary["business_rpo"]["operations_lost"] > 0, "the census counts what came after"
    switch = next(r["facts"] for r in drill.records() if r["kind"] == "route_switch")
    assert switch["switched_at"] and switch["back_at"], "clients of the public hosts reached the restored stack, and production again"


def test_a_dry_run_creates_nothing(lab: Lab) -> None:
    before = {folder.name for folder in drills(lab)}
    assert command("dalp_dr_lab", "drill", "--dry-run", "--no-backup").returncode == 0
    assert {folder.name for folder in drills(lab)} == before
    assert PREFIX not in lab.kubectl("get", "namespaces", "-o", "name")
    assert lab.kubectl("get", "leases", "-n", "dalp-dr", "-o", "name").strip() == ""


@pytest.mark.parametrize(("fault", "check"), [("wal-gap", "wal_without_gaps"), ("stale-backup", "backup_fresh")])
def test_a_drill_that_cannot_succeed_is_refused(lab: Lab, fault: str, check: str) -> None:
    begun = datetime.now(UTC)
    drill = Ended(lab, "--fault", fault)
    assert (drill.status, drill.summary["decision"], drill.summary["outcome"]) == (1, "FIX", "refused")
    assert audit_log.written(audited(begun), ENVIRONMENT) == (), "nothing but the lease was written"
    assert check in drill.failed
    assert drill.sandboxes(lab) == [] and drill.restores(lab) == [], "nothing was created"
    sealed = bundle.read(drill.folder / "bundle")
    assert not sealed.after("sign_off"), "there is nothing to sign"
    assert verify(drill.folder / "bundle") == 1


def test_four_faults_at_once_are_all_named(lab: Lab) -> None:
    drill = Ended(lab, "--fault", "one-wei,empty-volume,missing-secret,wrong-object-version")
    assert (drill.status, drill.summary["decision"], drill.summary["outcome"]) == (1, "FIX", "normal")
    assert {"database_matches_index", "index_matches_chain"} & drill.failed, "one-wei"
    assert "backup_volumes_have_data" in drill.failed and "empty" in drill.findings("backup_volumes_have_data"), "empty-volume"
    assert "volumes_hold_data" in drill.failed, "empty-volume, seen in the sandbox too"
    assert "Secret/" in drill.findings("inventory_complete") + drill.findings("secrets_sealed"), "missing-secret"
    assert "documents_resolve" in drill.failed, "wrong-object-version"
    assert drill.sandboxes(lab), "the sandbox is kept for on-call"
    assert not {"canaries_refused", "database_recovered", "recovery_point_reached", "same_system"} & drill.failed_checks
    assert verify(drill.folder / "bundle") == 1
    assert json.loads((lab.folder / "faults.json").read_text())["active"] == [], "the lab is mended"


def test_the_cluster_is_lost_and_everything_comes_back_elsewhere(lab: Lab) -> None:
    """The last of all: it loses the source cluster, and what it leaves is no lab for another drill."""
    drill = Ended(lab, "--drill", "annual")
    summary = drill.summary
    assert (drill.status, summary["decision"], summary["verdict"], summary["reasons"]) == (0, "READY", "pass", [])
    status = json.loads(command("dalp_dr_lab", "status", "--json").stdout)
    assert status["ground"]["source_cluster_lost"] and "cluster" not in status["ground"], "it was really stopped"
    assert not lab.kubeconfig.exists()
    asked = {a["what"]: a["outcome"] for r in drill.records() if r["kind"] == "cluster_loss" for a in r["facts"]["asked"]}
    assert len(asked) == len(NAMESPACES) + 2 and set(asked.values()) == {"no_answer"}
    switch = next(r["facts"] for r in drill.records() if r["kind"] == "route_switch")
    assert switch["switched_at"] and switch["back_at"]
    escrow = next(r["facts"] for r in drill.records() if r["kind"] == "escrow")
    assert {n["name"] for n in escrow["needed"]} >= {"dalp-tls", "dalp-signer"}, "also what no backup holds"
    mails = sorted((lab.folder / "mail").glob("*.eml"))
    assert mails and f"READY: recovery drill {summary['drill_id']}" in mails[-1].read_text().replace("\n ", " ")
    assert list((drill.folder / "bundle/after").glob("report-*.json"))
    there = Lab.load().on_recovery()
    assert PREFIX not in there.kubectl("get", "namespaces", "-o", "name"), "the sandbox is gone"
    assert verify(drill.folder / "bundle") == 0
