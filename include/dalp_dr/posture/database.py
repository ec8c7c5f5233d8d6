"""How the database protects itself: WAL shipping, base backups, retention, lag, and the window that can be recovered now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dalp_dr.database.wal_archive import WalArchive
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import DrillPlan, utc
from dalp_dr.posture import cron
from dalp_dr.posture.reading import readable

BASE_BACKUP_EVERY_HOURS = 24.0
BARMAN_PLUGIN = "barman-cloud.cloudnative-pg.io"


@dataclass(frozen=True)
class BaseBackupSchedule:
    """A ScheduledBackup of the cluster. `every_hours`: longest gap, None where its cron cannot be read."""

    name: str
    cron: str
    every_hours: float | None
    suspended: bool
    last_at: str | None


@dataclass(frozen=True)
class Protection:
    """The source cluster's own settings. `archiving` and `last_backup`: status of its conditions, None where it has none.

    `destination`: `s3://...` and server name as the archiver writes; `retention`: as written, None for no policy.
    """

    cluster: str
    archiver: str
    archiving: str | None
    archiving_message: str
    last_backup: str | None
    last_backup_message: str
    schedules: tuple[BaseBackupSchedule, ...]
    destination: str
    server_name: str
    retention: str | None
    retention_days: int | None


@dataclass(frozen=True)
class RecoverableWindow:
    """From the end of the oldest usable base backup to the upload of the newest contiguous segment; None where there is none."""

    earliest: str | None
    latest: str | None
    source_created_at: str


def protection(
    environment: Environment, cluster: Mapping[str, Any], schedules: Iterable[Mapping[str, Any]], stores: Iterable[Mapping[str, Any]]
) -> Protection:
    """The facts of kind `database_protection`, from the Cluster, its ScheduledBackups and ObjectStores."""
    name, spec = environment.database.cluster, cluster["spec"]
    conditions = {c["type"]: c for c in (cluster.get("status") or {}).get("conditions") or ()}
    archiver, destination, server, retention = _archiver(name, spec, list(stores))
    return Protection(
        cluster=name,
        archiver=archiver,
        archiving=(conditions.get("ContinuousArchiving") or {}).get("status"),
        archiving_message=str((conditions.get("ContinuousArchiving") or {}).get("message", "")),
        last_backup=(conditions.get("LastBackupSucceeded") or {}).get("status"),
        last_backup_message=str((conditions.get("LastBackupSucceeded") or {}).get("message", "")),
        schedules=tuple(_schedule(s) for s in schedules if s["spec"]["cluster"]["name"] == name),
        destination=destination,
        server_name=server,
        retention=retention,
        retention_days=readable(lambda: cron.retention_days(retention)) if retention else None,
    )


def _archiver(name: str, spec: Mapping[str, Any], stores: list[Mapping[str, Any]]) -> tuple[str, str, str, str | None]:
    """(who ships WAL, destination, server name, retention policy)."""
    plugin = next((p for p in spec.get("plugins") or () if p.get("isWALArchiver")), None)
    if plugin:
        asked = plugin.get("parameters") or {}
        store = next((s for s in stores if s["metadata"]["name"] == asked.get("barmanObjectName")), None)
        found = (store or {}).get("spec") or {}
        destination = (found.get("configuration") or {}).get("destinationPath", "")
        return plugin["name"], destination, asked.get("serverName") or name, found.get("retentionPolicy")
    backup = spec.get("backup") or {}
    if tree := backup.get("barmanObjectStore"):
        return "barmanObjectStore", tree.get("destinationPath", ""), tree.get("serverName") or name, backup.get("retentionPolicy")
    return "none", "", name, None


def _schedule(item: Mapping[str, Any]) -> BaseBackupSchedule:
    spec = item["spec"]
    return BaseBackupSchedule(
        name=item["metadata"]["name"],
        cron=spec["schedule"],
        every_hours=readable(lambda: cron.longest_gap_hours(spec["schedule"])),
        suspended=bool(spec.get("suspend")),
        last_at=(item.get("status") or {}).get("lastScheduleTime"),
    )


def window(archive: WalArchive, created_at: str) -> RecoverableWindow:
    """The window now, from the archive's listing alone."""
    reaching = [c for c in archive.chains if c.usable and c.last == archive.newest_segment]
    earliest = min((c.backup.end_time for c in reaching if c.backup.end_time), default=None)
    return RecoverableWindow(earliest, archive.newest_uploaded_at, created_at)


def judge_method(facts: Protection, plan: DrillPlan) -> CheckResult:
    """WAL is shipped continuously, to the place this project would recover from."""
    database = plan.environment.database
    wanted = "/".join(p for p in (f"s3://{database.archive_bucket}", database.archive_prefix.strip("/")) if p)
    expected = f"continuous WAL shipping of {facts.cluster} to {wanted} as {database.server_name}"
    if facts.archiver == "none":
        return failed(expected, "the cluster ships no WAL")
    seen = f"{facts.archiver} to {facts.destination} as {facts.server_name}, archiving {facts.archiving or 'unknown'}"
    findings = []
    if facts.destination.rstrip("/") != wanted or facts.server_name != database.server_name:
        findings.append(f"it ships to {facts.destination} as {facts.server_name}")
    if facts.archiving == "False":
        findings.append(f"archiving fails: {facts.archiving_message}")
    if not findings and facts.archiving != "True":
        return inconclusive(expected, seen, ["CloudNativePG does not say whether archiving works"])
    return expect(not findings, expected, seen, findings)


def judge_frequency(facts: Protection, plan: DrillPlan) -> CheckResult:
    """The recovery page: base backups run daily."""
    expected = f"a base backup of {facts.cluster} at least every {BASE_BACKUP_EVERY_HOURS:g} h, the last one well"
    running = [s for s in facts.schedules if not s.suspended]
    seen = ", ".join(f"{s.name} ({s.cron}){' suspended' if s.suspended else ''}" for s in facts.schedules) or "no schedule"
    if facts.last_backup == "False":
        return failed(expected, seen, [f"the last base backup failed: {facts.last_backup_message}"])
    if any(s.every_hours is not None and s.every_hours <= BASE_BACKUP_EVERY_HOURS for s in running):
        return expect(True, expected, seen)
    if unread := [f"{s.name}: cron {s.cron} cannot be read" for s in running if s.every_hours is None]:
        return inconclusive(expected, seen, unread)
    return failed(expected, seen, [f"no running ScheduledBackup of {facts.cluster} is daily"])


def judge_retention(facts: Protection, plan: DrillPlan) -> CheckResult:
    days = plan.environment.database.pitr_window_days
    expected = f"WAL and base backups of {facts.cluster} kept at least {days} days"
    if facts.retention is None:
        return expect(True, expected, "no retention policy: nothing is removed by the archiver")
    if facts.retention_days is None:
        return inconclusive(expected, facts.retention, [f"retention policy {facts.retention} cannot be read"])
    short = () if facts.retention_days >= days else (f"retention policy {facts.retention} is shorter than {days} days",)
    return expect(not short, expected, facts.retention, short)


def judge_lag(facts: WalArchive, plan: DrillPlan) -> CheckResult:
    """How long ago the newest usable segment arrived: what would be lost if production ended now, at most."""
    limit = plan.environment.posture.wal_lag_seconds
    expected = f"the newest archived WAL segment is at most {limit} s old"
    if facts.newest_uploaded_at is None:
        return failed(expected, "no usable segment")
    age = (utc(facts.incident_time) - utc(facts.newest_uploaded_at)).total_seconds()
    seen = f"{facts.newest_segment} arrived {max(age, 0):.0f} s ago"
    return expect(age <= limit, expected, seen, () if age <= limit else (seen,))


def judge_window(facts: RecoverableWindow, plan: DrillPlan) -> CheckResult:
    """The window reaches back as far as promised, or, for a younger cluster, to its beginning."""
    database = plan.environment.database
    now, created = utc(plan.incident_time), utc(facts.source_created_at)
    margin = timedelta(hours=database.base_backup_max_age_hours)
    wanted = max(now - timedelta(days=database.pitr_window_days), created) + margin
    expected = f"recoverable from {wanted:%Y-%m-%dT%H:%M:%SZ} or before until now"
    if facts.earliest is None or facts.latest is None:
        return failed(expected, "nothing can be recovered")
    seen = f"{facts.earliest} to {facts.latest}"
    late = () if utc(facts.earliest) <= wanted else (f"nothing before {facts.earliest} can be recovered",)
    return expect(not late, expected, seen, late)
