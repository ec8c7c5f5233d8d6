"""What a Velero restore did: phase, messages from its results file, volumes, and that the database stayed out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from dalp_dr.kubernetes_resources.status import RESTORE_TERMINAL
from dalp_dr.kubernetes_resources.volumes import SNAPSHOTS
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive, passed
from dalp_dr.model.plan import DrillPlan

UNREAD = "the restore's results and resource list could not be read"
# Each is written by a clean restore too; anything else fails the check.
KNOWN_WARNINGS = (
    re.compile(r"could not restore, ConfigMap:kube-root-ca\.crt already exists\."),
    re.compile(r"could not restore, ServiceAccount:default already exists\."),
)


@dataclass(frozen=True)
class VolumeRestore:
    """One PodVolumeRestore. `bytes_done` is None where Velero reports no progress (a volume of 0 bytes)."""

    pod: str
    volume: str
    phase: str
    bytes_done: int | None
    bytes_total: int | None
    message: str = ""
    snapshot: str = ""  # id of the data it was filled from; "" in older records


@dataclass(frozen=True)
class Expected:
    """What the backup holds for the file system restore: its claims, and `pod/volume` of everything it has bytes of."""

    claims: tuple[str, ...]
    transfers: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()  # claims whose data a snapshot holds: no PodVolumeRestore is to be expected
    snapshots: dict[str, str] = field(default_factory=dict)  # `pod/volume` -> id of its data in the repository


@dataclass(frozen=True)
class RestoreFacts:
    """Times UTC, clock of the Velero server. Absent counters are zero."""

    role: str
    restore: str
    backup: str
    phase: str
    started_at: str | None
    completed_at: str | None
    items_restored: int
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    results_read: bool
    volumes: tuple[VolumeRestore, ...]
    restored_objects: int
    database_objects: tuple[str, ...]
    failure_reason: str
    earlier_attempts: tuple[str, ...] = ()
    interrupted: tuple[str, ...] | None = None  # Restores of this try that a restart of Velero ended before this one
    gave_up: str | None = None  # why the wait ended before the restore did; "" when the restore ended by itself
    expected: Expected | None = None


def messages(results: dict[str, Any]) -> tuple[str, ...]:
    """Flat list of one half of a Velero results file: {"velero": [...], "cluster": [...], "namespaces": {ns: [...]}}."""
    flat = [str(m) for part in ("velero", "cluster") for m in results.get(part) or []]
    return (*flat, *(str(m) for values in (results.get("namespaces") or {}).values() for m in values))


def facts_from(
    role: str,
    restore: dict[str, Any],
    pod_volume_restores: Iterable[dict[str, Any]],
    results: dict[str, Any] | None,
    resources: dict[str, list[str]],
    earlier: Iterable[str] = (),
    interrupted: Iterable[str] = (),
    gave_up: str = "",
    expected: Expected | None = None,
) -> RestoreFacts:
    """`results` is None when the restore's files could not be read; `resources`: its own resource list, empty then.
    `expected` is None when the backup's own lists could not be read."""
    status = restore.get("status") or {}
    listed = [item for items in resources.values() for item in items]
    database = [f"{gvk} {item}" for gvk, items in resources.items() for item in items if "cnpg.io/" in gvk]
    reasons = [status.get("failureReason") or "", *(status.get("validationErrors") or [])]
    return RestoreFacts(
        role=role,
        restore=restore["metadata"]["name"],
        backup=restore["spec"]["backupName"],
        phase=status.get("phase") or "",
        started_at=status.get("startTimestamp"),
        completed_at=status.get("completionTimestamp"),
        items_restored=(status.get("progress") or {}).get("itemsRestored", 0),
        errors=messages((results or {}).get("errors") or {}),
        warnings=messages((results or {}).get("warnings") or {}),
        results_read=results is not None,
        volumes=tuple(_volume(p) for p in pod_volume_restores),
        restored_objects=sum("(created)" in item or "(updated)" in item for item in listed),
        database_objects=tuple(sorted(database)),
        failure_reason="; ".join(r for r in reasons if r),
        earlier_attempts=tuple(earlier),
        interrupted=tuple(interrupted),
        gave_up=gave_up,
        expected=expected,
    )


def expected_from(namespace: str, claims: Iterable[str], volumeinfo: Iterable[Mapping[str, Any]], out: Iterable[str]) -> Expected:
    """`volumeinfo`: the backup's entries; `out`: name patterns of claims and pods that the restore leaves out."""
    patterns = tuple(out)

    def kept(name: str) -> bool:
        return not any(fnmatchcase(name, pattern) for pattern in patterns)

    entries = [e for e in volumeinfo if e.get("pvcNamespace") in (None, "", namespace) and kept(e.get("pvcName") or "")]
    held = [e for e in entries if not e.get("skipped")]
    pods = [e["pvbInfo"] for e in held if e.get("backupMethod") == "PodVolumeBackup" and e.get("pvbInfo")]
    files = [i for i in pods if i.get("podNamespace") == namespace and kept(i["podName"])]
    return Expected(
        claims=tuple(sorted(c for c in claims if kept(c))),
        transfers=tuple(sorted(f"{i['podName']}/{i['volumeName']}" for i in files)),
        elsewhere=tuple(sorted(e["pvcName"] for e in held if e.get("backupMethod") in SNAPSHOTS and e.get("pvcName"))),
        snapshots={f"{i['podName']}/{i['volumeName']}": str(i.get("snapshotHandle") or "") for i in files},
    )


def ended_by_a_restart(restore: Mapping[str, Any]) -> bool:
    """Whether Velero itself says that it found this Restore under way when it started: nothing of the backup is to blame."""
    status = restore.get("status") or {}
    return status.get("phase") == "Failed" and "during the server starting" in (status.get("failureReason") or "")


def _volume(item: dict[str, Any]) -> VolumeRestore:
    status, spec = item.get("status") or {}, item["spec"]
    progress = status.get("progress") or {}
    return VolumeRestore(
        pod=spec["pod"]["name"],
        volume=spec["volume"],
        phase=status.get("phase") or "",
        bytes_done=progress.get("bytesDone"),
        bytes_total=progress.get("totalBytes"),
        message=status.get("message") or "",
        snapshot=spec.get("snapshotID") or "",
    )


def judge_completed(facts: RestoreFacts, plan: DrillPlan) -> CheckResult:
    findings = [*facts.errors, *([facts.failure_reason] if facts.failure_reason else [])]
    expected = f"Restore of {facts.backup} Completed, no errors, objects restored"
    if facts.gave_up and facts.phase not in RESTORE_TERMINAL:
        left = [f"{v.pod}/{v.volume}: {v.phase or 'no phase'}" for v in facts.volumes if v.phase != "Completed"]
        return inconclusive(expected, f"{facts.restore}: {facts.phase or 'no phase'}; {facts.gave_up}", [*findings, *left])
    if facts.phase == "Completed" and not facts.results_read:
        return inconclusive(expected, UNREAD, findings)
    planned = next((b.backup for b in plan.backups if b.role == facts.role), None)
    if facts.backup != planned:
        findings.append(f"{facts.restore}: restored backup {facts.backup}, planned was {planned}")
    if facts.restored_objects == 0:
        findings.append(f"{facts.restore}: Velero restored no object at all")
    good = facts.phase == "Completed" and not findings
    return expect(
        good,
        expected,
        f"{facts.restore}: {facts.phase or 'no phase'}, {facts.restored_objects} objects, {len(facts.errors)} errors",
        findings,
    )


def judge_messages(facts: RestoreFacts, plan: DrillPlan) -> CheckResult:
    unknown = [w for w in facts.warnings if not any(k.search(w) for k in KNOWN_WARNINGS)]
    if not facts.results_read:
        return inconclusive("every warning in the results file is a known one", UNREAD)
    return expect(
        not unknown, "every warning in the results file is a known one", f"{len(facts.warnings)} warnings, {len(unknown)} unknown", unknown
    )


def judge_volumes(facts: RestoreFacts, plan: DrillPlan) -> CheckResult:
    bad = [f"{v.pod}/{v.volume}: {v.phase or 'no phase'} {v.message}".strip() for v in facts.volumes if v.phase != "Completed"]
    bad += [
        f"{v.pod}/{v.volume}: {v.bytes_done} of {v.bytes_total} bytes"
        for v in facts.volumes
        if v.phase == "Completed" and v.bytes_done != v.bytes_total
    ]
    return expect(
        not bad, "every PodVolumeRestore Completed with all its bytes", f"{len(facts.volumes) - len(bad)} of {len(facts.volumes)}", bad
    )


def judge_transfers(facts: RestoreFacts, plan: DrillPlan) -> CheckResult:
    """Velero reports on the volumes that it began with; what it never began with is seen only against the backup."""
    question = f"a PodVolumeRestore of every volume that {facts.backup} has bytes of"
    if facts.expected is None:
        return inconclusive(question, "the backup's list of volumes is not known")
    begun = {f"{v.pod}/{v.volume}" for v in facts.volumes}
    missing = [f"{one}: no PodVolumeRestore" for one in facts.expected.transfers if one not in begun]
    seen = f"{len(facts.expected.transfers) - len(missing)} of {len(facts.expected.transfers)}"
    if not facts.expected.transfers and not facts.expected.elsewhere and facts.expected.claims:
        return failed(question, f"the backup has bytes of none of its {len(facts.expected.claims)} claims", facts.expected.claims)
    return failed(question, seen, missing) if missing else passed(question, seen)


def judge_undisturbed(facts: RestoreFacts, plan: DrillPlan) -> CheckResult:
    """A Velero that restarts in the middle (often for want of memory) would have done so in a real recovery too."""
    question = "no restart of Velero in the middle of the restore"
    if facts.interrupted is None:
        return inconclusive(question, "not recorded")
    return expect(not facts.interrupted, question, f"{len(facts.interrupted)} Restores ended by a restart", facts.interrupted)


def judge_database_left_out(facts: RestoreFacts, plan: DrillPlan) -> CheckResult:
    """A restored Cluster archives into production's path at once; a restored Backup runs again."""
    expected = "no CloudNativePG object came out of this restore"
    if not facts.results_read:
        return inconclusive(expected, UNREAD)
    return expect(not facts.database_objects, expected, f"{len(facts.database_objects)}", facts.database_objects)


def judge_own_data(facts: RestoreFacts, plan: DrillPlan) -> CheckResult:
    """Two volumes that were swapped may have the same bytes and files; the id of the data that each was filled from tells them apart."""
    question = "every volume filled from its own data in the backup"
    if facts.expected is None:
        return inconclusive(question, "the backup's list of volumes is not known")
    told = [(f"{v.pod}/{v.volume}", v.snapshot, facts.expected.snapshots.get(f"{v.pod}/{v.volume}", "")) for v in facts.volumes]
    swapped = [f"{name}: filled from {got}, its own data is {own}" for name, got, own in told if got and own and got != own]
    unknown = [f"{name}: {'no data of it in the backup' if got else 'data unknown'}" for name, got, own in told if not (got and own)]
    seen = f"{len(told) - len(swapped) - len(unknown)} of {len(told)}"
    if swapped:
        return failed(question, seen, [*swapped, *unknown])
    return inconclusive(question, seen, unknown) if unknown else passed(question, seen)
