"""Backups now, by the real controllers: a Velero Backup of each Schedule, a base backup, and the archive up to date."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dalp_dr_lab import owner
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import BACKUP_PREFIX, BUCKETS, Lab
from dalp_dr_lab.miniature import source
from dalp_dr_lab.progress import step

SCHEDULES = ("dalp-daily", "dalp-support-4h", "dalp-observability-daily")
SERVER = "dalp-pg"
BACKUP_SECONDS = 300
ARCHIVE_SECONDS = 120
TERMINAL = {"Completed", "PartiallyFailed", "Failed", "FailedValidation"}


def run(lab: Lab, schedules: Sequence[str] = SCHEDULES, *, database: bool = True, completes: bool = True) -> dict[str, Any]:
    """Start everything, wait for everything; LabError names what did not complete, unless it need not (`completes`)."""
    begun = time.monotonic()
    with step("backups"):
        names = [start_velero(lab, schedule) for schedule in schedules]
        base = start_base_backup(lab) if database else None
        phases = {name: wait_velero(lab, name) for name in names}
        if base:
            wait_base_backup(lab, base)
    with step("write-ahead log archived"):
        segment = archive_now(lab)
    bad = {name: phase for name, phase in phases.items() if phase != "Completed"}
    if bad and completes:
        raise LabError(f"Backups did not complete: {bad}. Read `kubectl -n velero describe backups.velero.io`.")
    seconds = round(time.monotonic() - begun, 1)
    return {"backups": names, "base_backup": base, "newest_segment": segment, "seconds": seconds}


def start_velero(lab: Lab, schedule: str) -> str:
    """Create a Backup from a Schedule's template as `velero backup create --from-schedule` does; returns its name."""
    found = json.loads(lab.kubectl("-n", "velero", "get", "schedules.velero.io", schedule, "-o", "json"))
    labels = {**found["metadata"].get("labels", {}), "velero.io/schedule-name": schedule}
    name = f"{schedule}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    backup = {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": name, "namespace": "velero", "labels": labels},
        "spec": found["spec"]["template"],
    }
    lab.kubectl("create", "--filename=-", input=json.dumps(backup))
    return name


def wait_velero(lab: Lab, name: str) -> str:
    """The terminal phase of a Backup."""

    def phase() -> str | None:
        words = ("-n", "velero", "get", "backups.velero.io", name, "-o", "jsonpath={.status.phase}")
        return found if (found := lab.kubectl(*words)) in TERMINAL else None

    return source.wait(f"backup {name}", phase, BACKUP_SECONDS)


def start_base_backup(lab: Lab) -> str:
    """Ask CloudNativePG for a base backup by the plugin; returns the Backup's name."""
    name = f"dalp-pg-{datetime.now(UTC):%Y%m%d%H%M%S}"
    backup = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {"name": name, "namespace": "dalp"},
        "spec": {
            "cluster": {"name": "dalp-pg"},
            "method": "plugin",
            "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"},
        },
    }
    lab.kubectl("create", "--filename=-", input=json.dumps(backup))
    return name


def wait_base_backup(lab: Lab, name: str) -> dict[str, Any]:
    """The status of a completed base backup; LabError with the operator's words when it failed."""

    def status() -> dict[str, Any] | None:
        words = ("-n", "dalp", "get", "backups.postgresql.cnpg.io", name, "-o", "json")
        found: dict[str, Any] = json.loads(lab.kubectl(*words)).get("status", {})
        return found if found.get("phase") in ("completed", "failed") else None

    found = source.wait(f"base backup {name}", status, BACKUP_SECONDS)
    if found["phase"] == "failed":
        raise LabError(f"Base backup {name} failed: {found.get('error')}. Read the log of pod dalp-pg-1.")
    return found


def archive_now(lab: Lab) -> str:
    """Switch the WAL segment and wait until the bucket holds the one that was current; returns its name.

    A heartbeat row is committed on each side of the switch, so that a restore can aim at a moment inside the archive.
    """
    statement = "select pg_walfile_name(pg_current_wal_lsn()); select pg_switch_wal() is not null;"
    segment = source.sql(lab, statement).splitlines()[0]
    source.wait(f"segment {segment} in the bucket", lambda: archived(lab, segment), ARCHIVE_SECONDS)
    return segment


def wal_key(segment: str) -> str:
    """Where the archiver puts a segment, without the suffix of its compression."""
    return f"{BACKUP_PREFIX}/{SERVER}/wals/{segment[:16]}/{segment}"


def archived(lab: Lab, segment: str) -> bool:
    """Whether the bucket holds a segment."""
    found = lab.s3("admin").list_objects_v2(Bucket=BUCKETS["wal"], Prefix=wal_key(segment))
    return any(item["Key"] in (wal_key(segment), wal_key(segment) + ".gz") for item in found.get("Contents", []))


def main(argv: Sequence[str]) -> int:
    """`backup`: take backups and print what was taken as JSON."""
    argparse.ArgumentParser(prog="backup", description=__doc__).parse_args(argv)
    lab = Lab.load()
    with owner.one_at_a_time(lab):
        print(json.dumps(run(lab)))
    return 0
