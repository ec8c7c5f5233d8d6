"""Record kinds and checks of the Kubernetes resources: backups, restores, inventory and volumes of each namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from dalp_dr.kubernetes_resources import backups, inventory, restored, server, volumes
from dalp_dr.model.check import Check, CheckResult, Stage, Surface
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import RecordKind

KINDS: tuple[RecordKind, ...] = (
    RecordKind("backup", backups.BackupFacts, "preflight", lambda plan: plan.covered_roles, "Backup name and creation time"),
    RecordKind("velero", server.VeleroFacts, "preflight", lambda plan: ("drill",) if plan.covered_roles else ()),
    RecordKind("restore_run", restored.RestoreFacts, "restore", lambda plan: plan.covered_roles),
    RecordKind("namespace_inventory", inventory.InventoryFacts, "verify", lambda plan: plan.covered_roles, "Restored namespace inventory"),
    RecordKind("volumes", volumes.VolumeFacts, "verify", lambda plan: plan.covered_roles),
)


def _check(
    id_: str,
    kind: str,
    stage: Stage,
    question: str,
    judge: Callable[[Any, DrillPlan], CheckResult],
    next_step: str,
    section: str,
    refuses: bool = False,
    since: int = 1,
    source: Literal["any", "alive", "lost"] = "any",
) -> Check:
    section = f"kubernetes-resources.md#{section}"
    return Check(id_, kind, Surface.KUBERNETES_RESOURCES, stage, question, judge, next_step, section, refuses, since=since, source=source)


CHECKS: tuple[Check, ...] = (
    _check(
        "backup_complete",
        "backup",
        Stage.PREFLIGHT,
        "Is there a complete backup of the namespace?",
        backups.judge_complete,
        "Read the failed backup's results and log, repair the cause, take a new backup.",
        "backup-failed",
        True,
    ),
    _check(
        "backup_fresh",
        "backup",
        Stage.PREFLIGHT,
        "Is the newest backup young enough?",
        backups.judge_fresh,
        "Find out why the schedule made no newer backup (paused, failing, Velero down) and take one now.",
        "stale-backup",
        True,
    ),
    _check(
        "backup_outlives_drill",
        "backup",
        Stage.PREFLIGHT,
        "Will the backup still exist when the drill ends?",
        backups.judge_outlives,
        "Choose a younger backup or a longer retention.",
        "backup-expires",
        True,
    ),
    _check(
        "backup_location_available",
        "backup",
        Stage.PREFLIGHT,
        "Can Velero read its backup location?",
        backups.judge_location,
        "Read the BackupStorageLocation's message; repair bucket, credentials or network.",
        "backup-location",
        True,
    ),
    _check(
        "velero_ready",
        "velero",
        Stage.PREFLIGHT,
        "Do Velero's server and its node agents run?",
        server.judge_ready,
        "Start Velero's Deployment and its node-agent DaemonSet; read their pods' events.",
        "velero-down",
        True,
        since=2,
    ),
    _check(
        "backup_schedule_active",
        "backup",
        Stage.PREFLIGHT,
        "Does the schedule still run?",
        backups.judge_schedule,
        "Unpause or repair the Velero Schedule.",
        "schedule-paused",
        source="alive",
    ),
    _check(
        "backup_volumes_have_data",
        "backup",
        Stage.PREFLIGHT,
        "Does the backup hold the data of every claim?",
        backups.judge_volumes,
        "Label the pods that mount these claims so that the backup's selector includes them.",
        "empty-volume",
    ),
    _check(
        "restore_completed",
        "restore_run",
        Stage.RESTORE,
        "Did Velero restore the namespace without errors?",
        restored.judge_completed,
        "Read the errors; each names the object and the API server's answer.",
        "restore-errors",
    ),
    _check(
        "restore_messages_known",
        "restore_run",
        Stage.RESTORE,
        "Are all warnings of the restore explained?",
        restored.judge_messages,
        "Explain each warning, repair its cause, or add it to the known ones by a change in Git.",
        "restore-warnings",
    ),
    _check(
        "pod_volumes_restored",
        "restore_run",
        Stage.RESTORE,
        "Was every volume filled?",
        restored.judge_volumes,
        "Look at the PodVolumeRestores and the node-agent on the pod's node.",
        "volume-restore",
    ),
    _check(
        "every_volume_transferred",
        "restore_run",
        Stage.RESTORE,
        "Did Velero begin to fill every volume that the backup has bytes of?",
        restored.judge_transfers,
        "Look for the pod in the restore's log: Velero fills a volume only through the pod that it restored.",
        "volume-restore",
        since=2,
    ),
    _check(
        "restore_undisturbed",
        "restore_run",
        Stage.RESTORE,
        "Did Velero run through the whole restore?",
        restored.judge_undisturbed,
        "Find out why Velero restarted (memory limit, eviction, upgrade); clear the task with the reason.",
        "velero-restarted",
        since=2,
    ),
    _check(
        "database_objects_left_out",
        "restore_run",
        Stage.RESTORE,
        "Did the database's own objects stay out?",
        restored.judge_database_left_out,
        "Stop: look for a second writer in the archive before anything else.",
        "database-objects",
    ),
    _check(
        "inventory_complete",
        "namespace_inventory",
        Stage.VERIFY,
        "Is everything back that must exist?",
        inventory.judge_complete,
        "Add the missing objects to the backup (labels, namespaces) or to the charts in Git.",
        "inventory",
    ),
    _check(
        "required_kinds_present",
        "namespace_inventory",
        Stage.VERIFY,
        "Are secrets, config maps, services, ingress and volumes back?",
        inventory.judge_required_kinds,
        "Look at the backup's resource list for this kind; widen its selector.",
        "inventory",
    ),
    _check(
        "nothing_unexpected",
        "namespace_inventory",
        Stage.VERIFY,
        "Is there nothing else in the sandbox?",
        inventory.judge_unexpected,
        "Find who made these objects; a drill with manual changes has failed.",
        "unexpected-objects",
    ),
    _check(
        "secrets_sealed",
        "namespace_inventory",
        Stage.VERIFY,
        "Were production's credentials replaced?",
        inventory.judge_sealed,
        "Tear the sandbox down; correct seal_secrets in the environment file.",
        "sealed-secrets",
    ),
    _check(
        "volumes_hold_data",
        "volumes",
        Stage.VERIFY,
        "Do the volumes hold what was backed up?",
        volumes.judge,
        "Include the pods in the backup: data of a file system backup comes back only through its pod.",
        "empty-volume",
    ),
)
