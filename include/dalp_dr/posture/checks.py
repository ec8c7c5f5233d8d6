"""Record kinds and checks of the watch between drills. They are no part of a drill's checklist and earn no claim."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dalp_dr.database import checks as database_checks
from dalp_dr.kubernetes_resources import checks as resource_checks
from dalp_dr.model.check import Check, CheckResult, Stage, Surface
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import RecordKind
from dalp_dr.object_storage import checks as object_checks
from dalp_dr.posture import coverage, database, escrow, history, schedules

_SHARED = {  # questions that preflight asks too: one judge, one answer
    *("backup_complete", "backup_fresh", "backup_schedule_active", "backup_volumes_have_data"),
    *("base_backup_fresh", "wal_without_gaps", "archive_has_one_writer"),
    *("versioning_enabled", "noncurrent_horizon_covers_window"),
}
_PARTS = (database_checks, resource_checks, object_checks)
SHARED: tuple[Check, ...] = tuple(c for part in _PARTS for c in part.CHECKS if c.id in _SHARED)
_OWN = (
    RecordKind("database_protection", database.Protection, Stage.PREFLIGHT),
    RecordKind("recoverable_window", database.RecoverableWindow, Stage.PREFLIGHT),
    RecordKind("resource_backups", schedules.ResourceBackups, Stage.PREFLIGHT),
    RecordKind("coverage", coverage.Coverage, Stage.PREFLIGHT),
    RecordKind("configuration_history", history.ConfigurationHistory, Stage.PREFLIGHT),
    RecordKind("escrow_reading", escrow.EscrowReading, Stage.PREFLIGHT),
    RecordKind("drill_history", history.DrillHistory, Stage.PREFLIGHT),
)
KINDS: dict[str, RecordKind] = {k.name: k for k in _OWN} | {
    k.name: k for part in _PARTS for k in part.KINDS if k.name in {c.kind for c in SHARED}
}


def _check(
    id_: str,
    kind: str,
    surface: Surface | None,
    question: str,
    judge: Callable[[Any, DrillPlan], CheckResult],
    next_step: str,
    section: str,
) -> Check:
    return Check(id_, kind, surface, Stage.PREFLIGHT, question, judge, next_step, f"posture.md#{section}", since=2)


_DATABASE, _RESOURCES, _GIT = Surface.DATABASE, Surface.KUBERNETES_RESOURCES, Surface.CONFIGURATION
CHECKS: tuple[Check, ...] = (
    *SHARED,
    _check(
        "wal_shipped",
        "database_protection",
        _DATABASE,
        "Does the database ship its WAL to where a recovery would look?",
        database.judge_method,
        "Read the log of the primary's pod; repair the archiver before anything else.",
        "wal-shipping",
    ),
    _check(
        "base_backups_scheduled",
        "database_protection",
        _DATABASE,
        "Is a base backup taken every day?",
        database.judge_frequency,
        "Resume or repair the ScheduledBackup, then take one now.",
        "base-backup-schedule",
    ),
    _check(
        "archive_retention",
        "database_protection",
        _DATABASE,
        "Is the archive kept as long as promised?",
        database.judge_retention,
        "Raise the retention policy of the ObjectStore.",
        "archive-retention",
    ),
    _check(
        "wal_lag",
        "wal_archive",
        _DATABASE,
        "Does WAL arrive in the archive now?",
        database.judge_lag,
        "Look at the archiver: what has not arrived would be lost.",
        "wal-lag",
    ),
    _check(
        "recoverable_window_whole",
        "recoverable_window",
        _DATABASE,
        "Can the database go back as far as promised?",
        database.judge_window,
        "Find out what removed base backups or WAL; take a base backup now.",
        "recoverable-window",
    ),
    _check(
        "retention_table_kept",
        "resource_backups",
        _RESOURCES,
        "Is the namespace backed up as often and kept as long as the table says?",
        schedules.judge_tiers,
        "Add the missing schedule, or declare the deviation with who accepted it.",
        "retention-table",
    ),
    _check(
        "chart_settings_live",
        "resource_backups",
        _RESOURCES,
        "Are the chart's seven backup settings what is live?",
        schedules.judge_settings,
        "Install the release again, or put the change into its values.",
        "chart-settings",
    ),
    _check(
        "events_left_out",
        "resource_backups",
        _RESOURCES,
        "Are Kubernetes events left out of the backups?",
        schedules.judge_events,
        "Exclude events in the schedule's template.",
        "chart-settings",
    ),
    _check(
        "namespaces_included",
        "resource_backups",
        _RESOURCES,
        "Does the schedule cover the namespace and each additional one?",
        schedules.judge_namespaces,
        "Add the namespace to the chart's additional namespaces.",
        "chart-settings",
    ),
    _check(
        "no_backup_failed",
        "resource_backups",
        _RESOURCES,
        "Did any backup fail lately?",
        schedules.judge_failures,
        "Read the failed backup's log; take a new one.",
        "backup-failed",
    ),
    _check(
        "location_writable",
        "resource_backups",
        _RESOURCES,
        "Can Velero write where this project reads?",
        schedules.judge_location,
        "Repair the location's address, key or bucket; look whether Velero runs.",
        "backup-location",
    ),
    _check(
        "labels_cover",
        "coverage",
        _RESOURCES,
        "Is there anything that no schedule would ever back up?",
        coverage.judge_labels,
        "Label the named objects through their chart, or declare what makes them anew.",
        "label-coverage",
    ),
    _check(
        "needed_objects_backed_up",
        "coverage",
        _RESOURCES,
        "Does the newest backup hold everything that running pods name?",
        coverage.judge_needed,
        "Label the named Secret or ConfigMap, take a new backup.",
        "label-coverage",
    ),
    _check(
        "volume_method",
        "coverage",
        _RESOURCES,
        "Is each volume backed up by the method it allows?",
        coverage.judge_volume_method,
        "Label the pod that mounts the volume, or set up snapshots.",
        "volume-method",
    ),
    _check(
        "repository_reachable",
        "configuration_history",
        _GIT,
        "Can the configuration be read from Git?",
        history.judge_reachable,
        "Repair the repository or the connection to it.",
        "repository",
    ),
    _check(
        "values_committed",
        "configuration_history",
        _GIT,
        "Is what is installed what Git holds?",
        history.judge_committed,
        "Commit the values that are installed, or install those of Git.",
        "repository",
    ),
    _check(
        "escrow_readable",
        "escrow_reading",
        _GIT,
        "Is the escrow of the Secrets there, sealed, and of today?",
        escrow.judge,
        "Look at what writes the escrow; seal it again for the custodian's certificate.",
        "escrow",
    ),
    _check(
        "drill_on_schedule",
        "drill_history",
        None,
        "Was a full drill held when it was due?",
        history.judge_on_schedule,
        "Start the quarterly drill; find out why the slot was missed.",
        "drill-overdue",
    ),
    _check(
        "last_drill_ready",
        "drill_history",
        None,
        "Did the newest full drill end READY?",
        history.judge_last_ready,
        "Work through the drill's reasons and repeat it.",
        "drill-failed",
    ),
    _check(
        "claim_stands",
        "drill_history",
        None,
        "Is what is published still proven?",
        history.judge_claim,
        "Withdraw what is published, or hold the drill that proves it again.",
        "claim-expired",
    ),
)


def checks_of(kind: str) -> tuple[Check, ...]:
    """The checks that judge records of this kind."""
    return tuple(c for c in CHECKS if c.kind == kind)
