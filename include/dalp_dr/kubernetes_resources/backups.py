"""Chooses the Velero backup of each source namespace and says whether it may be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dalp_dr.model.check import CheckResult, expect, failed, inconclusive, passed
from dalp_dr.model.environment import SourceNamespace
from dalp_dr.model.plan import BackupPoint, DrillPlan, utc

SCHEDULE_LABEL = "velero.io/schedule-name"
EXCLUDE_LABEL = "velero.io/exclude-from-backup"


@dataclass(frozen=True)
class VolumeBackup:
    """One claim of the namespace and what the backup holds of it; `bytes_` is None where nothing was backed up or a
    snapshot counts none."""

    claim: str
    method: str  # PodVolumeBackup, CSISnapshot, NativeSnapshot or none
    bytes_: int | None
    reclaim_policy: str
    result: str
    reason: str = ""


@dataclass(frozen=True)
class BackupFacts:
    """The chosen backup as Velero and its bucket tell it. `found` is None when the namespace has no usable backup."""

    role: str
    namespace: str
    schedule: str
    found: BackupPoint | None
    phase: str | None
    errors: int
    warnings: int
    items: int
    items_listed: int
    newer_failed: tuple[str, ...]
    location_phase: str
    location_mode: str
    schedule_phase: str | None
    schedule_paused: bool
    volumes: tuple[VolumeBackup, ...]
    server_version: str
    pods: int | None = None  # of the living namespace, that run and that Velero is to bring back
    pods_left_out: tuple[str, ...] | None = None  # those that the schedule's selectors do not choose


def choose(backups: Iterable[dict[str, Any]], source: SourceNamespace, incident_time: datetime) -> BackupPoint | None:
    """The newest Completed backup of the namespace's schedule that had completed at the incident time."""
    usable = [
        p
        for b in backups
        if (p := _point(b, source)) and utc(p.completed_at) <= incident_time and b.get("status", {}).get("phase") == "Completed"
    ]
    return max(usable, key=lambda p: p.started_at, default=None)


def _point(backup: dict[str, Any], source: SourceNamespace) -> BackupPoint | None:
    status = backup.get("status", {})
    if backup["metadata"].get("labels", {}).get(SCHEDULE_LABEL) != source.schedule or "completionTimestamp" not in status:
        return None
    return BackupPoint(
        role=source.role,
        namespace=source.name,
        backup=backup["metadata"]["name"],
        schedule=source.schedule,
        started_at=status["startTimestamp"],
        completed_at=status["completionTimestamp"],
        expires_at=status.get("expiration", ""),
    )


def living_pods(pods: Iterable[dict[str, Any]], database: str | None) -> list[dict[str, Any]]:
    """Pods that have not ended and are not those of the database's cluster, which has its own recovery, nor of a Job."""
    return [
        pod
        for pod in pods
        if (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
        and (database is None or (pod["metadata"].get("labels") or {}).get("cnpg.io/cluster") != database)
        and not any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences") or ())
    ]


def left_out(pods: Iterable[dict[str, Any]], schedule: dict[str, Any]) -> tuple[str, ...]:
    """Names of the pods that a Velero Schedule leaves out: by kind, by its selectors, or because they are marked so."""
    template = schedule["spec"].get("template") or {}
    wanted, unwanted = template.get("includedResources") or ("*",), template.get("excludedResources") or ()
    no_pods = "pods" in unwanted or not {"*", "pods"} & set(wanted)
    selectors = [s for s in [template.get("labelSelector"), *(template.get("orLabelSelectors") or ())] if s]
    return tuple(
        sorted(
            pod["metadata"]["name"]
            for pod in pods
            if no_pods
            or (labels := pod["metadata"].get("labels") or {}).get(EXCLUDE_LABEL) == "true"
            or (selectors and not any(_chooses(selector, labels) for selector in selectors))
        )
    )


def _chooses(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Kubernetes' label selector: all of matchLabels and all of matchExpressions."""
    meets = {
        "In": lambda rule: labels.get(rule["key"]) in rule["values"],
        "NotIn": lambda rule: labels.get(rule["key"]) not in rule["values"],
        "Exists": lambda rule: rule["key"] in labels,
        "DoesNotExist": lambda rule: rule["key"] not in labels,
    }
    named = (selector.get("matchLabels") or {}).items()
    return all(labels.get(k) == v for k, v in named) and all(
        meets[rule["operator"]](rule) for rule in selector.get("matchExpressions") or ()
    )


def newer_failed(
    backups: Iterable[dict[str, Any]], source: SourceNamespace, point: BackupPoint | None, incident_time: datetime
) -> tuple[str, ...]:
    """`name (phase)` of each backup of the schedule that ended badly after the chosen one began, as seen at the incident time.

    A backup that failed validation never started: the moment it was created counts.
    """
    names = []
    for backup in backups:
        status, labels = backup.get("status", {}), backup["metadata"].get("labels", {})
        bad = status.get("phase") in {"Failed", "PartiallyFailed", "FailedValidation"}
        began = utc(status.get("startTimestamp") or backup["metadata"]["creationTimestamp"])
        seen = began <= incident_time and (point is None or began > utc(point.started_at))
        if labels.get(SCHEDULE_LABEL) == source.schedule and bad and seen:
            names.append(f"{backup['metadata']['name']} ({status['phase']})")
    return tuple(sorted(names))


def of_namespace(volumeinfo: Iterable[dict[str, Any]], namespace: str | None) -> list[dict[str, Any]]:
    """The entries of Velero's volume information that are about claims of this namespace; all of them for None."""
    return [entry for entry in volumeinfo if namespace is None or entry.get("pvcNamespace") in (None, "", namespace)]


def volumes(claims: Iterable[str], volumeinfo: Iterable[dict[str, Any]], namespace: str | None = None) -> tuple[VolumeBackup, ...]:
    """What the backup holds of every claim: those listed in its resource list and those in its volume information.

    `namespace`: of the claims; a backup of several namespaces may hold another claim of the same name.
    """
    known: dict[str, VolumeBackup] = {}
    for entry in of_namespace(volumeinfo, namespace):
        claim, info = entry.get("pvcName") or "", entry.get("pvbInfo") or {}
        method = "none" if entry.get("skipped") else entry.get("backupMethod") or "none"
        if claim:
            known[claim] = VolumeBackup(
                claim=claim,
                method=method,
                bytes_=info.get("size", 0) if method == "PodVolumeBackup" else None,
                reclaim_policy=(entry.get("pvInfo") or {}).get("reclaimPolicy", ""),
                result=entry.get("result", ""),
                reason=entry.get("skippedReason") or "",
            )
    for claim in claims:
        known.setdefault(claim, VolumeBackup(claim, "none", None, "", "", "no running pod of this backup mounts it"))
    return tuple(known[c] for c in sorted(known))


def judge_complete(facts: BackupFacts, plan: DrillPlan) -> CheckResult:
    expected = f"a Completed backup of schedule {facts.schedule} from before {plan.incident_time}, without errors"
    if facts.found is None:
        return failed(expected, "none", facts.newer_failed)
    problems = [*facts.newer_failed]
    if facts.phase != "Completed" or facts.errors:
        problems.append(f"{facts.found.backup}: phase {facts.phase}, {facts.errors} errors")
    if facts.items_listed == 0:
        problems.append(f"{facts.found.backup}: its resource list is empty")
    return expect(not problems, expected, f"{facts.found.backup}, {facts.items_listed} objects listed", problems)


def judge_fresh(facts: BackupFacts, plan: DrillPlan) -> CheckResult:
    source = plan.environment.source.namespace(facts.role)
    limit = timedelta(hours=source.backup_max_age_hours)
    expected = f"backup of {facts.namespace} at most {source.backup_max_age_hours:g} h old at {plan.incident_time}"
    if facts.found is None:
        return failed(expected, "no backup")
    age = utc(plan.incident_time) - utc(facts.found.started_at)
    seen = f"{facts.found.backup} is {age.total_seconds() / 3600:.1f} h old"
    return expect(age <= limit, expected, seen, () if age <= limit else (seen,))


def judge_outlives(facts: BackupFacts, plan: DrillPlan) -> CheckResult:
    deadline = utc(plan.asked_at) + timedelta(minutes=plan.environment.deadline_minutes)
    expected = f"backup expires after the drill's deadline {deadline:%Y-%m-%dT%H:%M:%SZ}"
    if facts.found is None:
        return failed(expected, "no backup")
    if not facts.found.expires_at:
        return failed(expected, f"{facts.found.backup} has no expiration")
    return expect(utc(facts.found.expires_at) > deadline, expected, f"{facts.found.backup} expires {facts.found.expires_at}")


def judge_location(facts: BackupFacts, plan: DrillPlan) -> CheckResult:
    mode = "ReadOnly" if plan.environment.cluster == "separate" else "ReadWrite"
    expected = f"backup location Available, {mode}"
    seen = f"{facts.location_phase or 'no phase'}, {facts.location_mode}"
    return expect(facts.location_phase == "Available" and facts.location_mode == mode, expected, seen)


def judge_schedule(facts: BackupFacts, plan: DrillPlan) -> CheckResult:
    expected = f"schedule {facts.schedule} exists, Enabled and not paused"
    if facts.schedule_phase is None:
        return failed(expected, "no such schedule")
    seen = f"{facts.schedule_phase or 'no phase'}{', paused' if facts.schedule_paused else ''}"
    return expect(facts.schedule_phase == "Enabled" and not facts.schedule_paused, expected, seen)


def judge_volumes(facts: BackupFacts, plan: DrillPlan) -> CheckResult:
    """The seed's trap: a claim without its pod comes back empty, or, with reclaim policy Retain, as production's own volume."""
    expected = "data of every claim in the backup"
    bad = []
    for volume in facts.volumes:
        if volume.method == "none":
            kind = "would mount production's volume" if volume.reclaim_policy == "Retain" else "would come back empty"
            bad.append(f"{facts.namespace}/{volume.claim}: no data in the backup, {kind} ({volume.reason or 'skipped'})")
        elif volume.result not in {"", "succeeded"}:
            bad.append(f"{facts.namespace}/{volume.claim}: {volume.method} {volume.result}")
    if not facts.found:
        return failed(expected, "no backup")
    seen = f"{len(facts.volumes) - len(bad)} of {len(facts.volumes)} claims with data"
    return failed(expected, seen, bad) if bad else passed(expected, seen)


def judge_pods(facts: BackupFacts, plan: DrillPlan) -> CheckResult:
    """A pod that the selector misses is in no backup, and what it mounts only by chance; nobody notices before the restore."""
    expected = f"schedule {facts.schedule} chooses every pod that runs in {facts.namespace}"
    if facts.pods is None or facts.pods_left_out is None:
        return inconclusive(expected, "the living pods or the schedule were not read")
    if not facts.pods:
        return inconclusive(expected, "no pod runs there")
    seen = f"{facts.pods - len(facts.pods_left_out)} of {facts.pods} pods"
    return expect(not facts.pods_left_out, expected, seen, [f"Pod/{name}: no selector chooses it" for name in facts.pods_left_out])
