"""Faults of the Kubernetes backups and of what is in them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults.fault import Fault, Notes, nothing
from dalp_dr_lab.faults.recovery_points import delete_velero_backups, velero_backups
from dalp_dr_lab.lab import BACKUP_PREFIX, BUCKETS, Lab
from dalp_dr_lab.miniature import release_store, source

SLUG, SLUG_VALUE = "kots.io/app-slug", "settlemint-dalp"
APPLICATION = "dalp-daily"
SUPPORT = "dalp-support-4h"
STALE_HOURS = 52
EXPIRES_MINUTES = 20
LOCATION_SECONDS = 90
HOOK = "pre.hook.backup.velero.io"


def pod_of(lab: Lab, workload: str) -> str:
    """The name of the running pod of a workload in the application's namespace."""
    found = source.objects(lab, "dalp", "pods", "-l", f"app.kubernetes.io/name={workload}")
    running = [item["metadata"]["name"] for item in found if item["status"].get("phase") == "Running"]
    if not running:
        raise LabError(f"{workload} has no running pod. Run `python -m dalp_dr_lab up` first.")
    return str(running[0])


def _unlabel_pod(lab: Lab, notes: Notes, workload: str) -> None:
    pod = pod_of(lab, workload)
    lab.kubectl("-n", "dalp", "label", "pod", pod, f"{SLUG}-")
    notes["workload"] = workload


def _label_pods(lab: Lab, notes: Notes) -> None:
    selector = f"app.kubernetes.io/name={notes['workload']}"
    lab.kubectl("-n", "dalp", "label", "pods", "-l", selector, f"{SLUG}={SLUG_VALUE}", "--overwrite")


def _leave_pods_out(lab: Lab, notes: Notes) -> None:
    """Exclude pods from the schedule; a pod that only loses its label is still brought in by its labelled claim."""
    excluded = json.dumps({"spec": {"template": {"excludedResources": ["events", "events.events.k8s.io", "pods"]}}})
    lab.kubectl("-n", "velero", "patch", "schedules.velero.io", APPLICATION, "--type=merge", "--patch", excluded)


def _unlabel_secret(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "dalp", "label", "secret", "dalp-dapi", f"{SLUG}-")


def _label_secret(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "dalp", "label", "secret", "dalp-dapi", f"{SLUG}={SLUG_VALUE}", "--overwrite")


def _pause(lab: Lab, notes: Notes) -> None:
    _set_paused(lab, True)


def _resume(lab: Lab, notes: Notes) -> None:
    _set_paused(lab, False)


def _set_paused(lab: Lab, paused: bool) -> None:
    patch = json.dumps({"spec": {"paused": paused}})
    lab.kubectl("-n", "velero", "patch", "schedules.velero.io", APPLICATION, "--type=merge", "--patch", patch)


def _age_backups(lab: Lab, notes: Notes) -> None:
    """Pause the schedule, delete all application backups but one and date that one back, in cluster and bucket."""
    _set_paused(lab, True)
    mine = [
        item["metadata"]["name"]
        for item in velero_backups(lab)
        if item["metadata"].get("labels", {}).get("velero.io/schedule-name") == APPLICATION
        and item.get("status", {}).get("phase") == "Completed"
    ]
    if not mine:
        raise LabError("There is no application backup to grow old. Run `python -m dalp_dr_lab backup` first.")
    kept, *others = mine
    delete_velero_backups(lab, others)
    _date_back(lab, kept, timedelta(hours=STALE_HOURS))
    notes["kept"] = kept


def _date_back(lab: Lab, name: str, by: timedelta) -> None:
    fields = ("startTimestamp", "completionTimestamp", "expiration")
    _set_times(lab, name, lambda status: {field: datetime.fromisoformat(status[field]) - by for field in fields})


def _let_expire(lab: Lab, notes: Notes) -> None:
    newest = next(b for b in velero_backups(lab) if b["metadata"].get("labels", {}).get("velero.io/schedule-name") == SUPPORT)
    soon = datetime.now(UTC) + timedelta(minutes=EXPIRES_MINUTES)
    _set_times(lab, newest["metadata"]["name"], lambda status: {"expiration": soon})


def _set_times(lab: Lab, name: str, chosen: Callable[[dict[str, str]], dict[str, datetime]]) -> None:
    """Change moments of a Backup's status, in the bucket and in the cluster."""
    key = f"{BACKUP_PREFIX}/backups/{name}/velero-backup.json"
    store = lab.s3("admin")
    raw = store.get_object(Bucket=BUCKETS["backups"], Key=key)["Body"].read()
    packed = raw[:2] == b"\x1f\x8b"
    stored = json.loads(gzip.decompress(raw) if packed else raw)
    times = {field: f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for field, at in chosen(stored["status"]).items()}
    stored["status"].update(times)
    text = json.dumps(stored).encode()
    store.put_object(Bucket=BUCKETS["backups"], Key=key, Body=gzip.compress(text) if packed else text)
    patch = json.dumps({"status": times})
    lab.kubectl("-n", "velero", "patch", "backups.velero.io", name, "--type=merge", "--patch", patch)


def _remove_aged(lab: Lab, notes: Notes) -> None:
    _set_paused(lab, False)
    if "kept" in notes:
        delete_velero_backups(lab, [notes["kept"]])


def _failing_hook(lab: Lab, notes: Notes) -> None:
    pod = pod_of(lab, "dalp-worker")
    hook = (f'{HOOK}/command=["/bin/false"]', f"{HOOK}/on-error=Fail", f"{HOOK}/container=worker")
    lab.kubectl("-n", "dalp", "annotate", "pod", pod, *hook, "--overwrite")


def _no_hook(lab: Lab, notes: Notes) -> None:
    gone = (f"{HOOK}/command-", f"{HOOK}/on-error-", f"{HOOK}/container-")
    lab.kubectl("-n", "dalp", "annotate", "pods", "-l", "app.kubernetes.io/name=dalp-worker", *gone)


def _drop_service(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "dalp", "delete", "service", "dalp-dapp")


def _install_again(lab: Lab, notes: Notes) -> None:
    release_store.install(lab, "dalp")


def _close_location(lab: Lab, notes: Notes) -> None:
    words = (
        "-n",
        "velero",
        "get",
        "backupstoragelocations.velero.io",
        "default",
        "-o",
        "jsonpath={.spec.config.s3Url}",
    )
    notes["s3_url"] = lab.kubectl(*words)
    _set_location(lab, f"http://{lab.address}:9", "Unavailable")


def _open_location(lab: Lab, notes: Notes) -> None:
    if "s3_url" in notes:
        _set_location(lab, notes["s3_url"], "Available")


def _set_location(lab: Lab, url: str, phase: str) -> None:
    patch = json.dumps({"spec": {"config": {"s3Url": url}}})
    names = ("backupstoragelocations.velero.io", "default")
    lab.kubectl("-n", "velero", "patch", *names, "--type=merge", "--patch", patch)

    def reached() -> bool:
        return lab.kubectl("-n", "velero", "get", *names, "-o", "jsonpath={.status.phase}") == phase

    source.wait(f"backup location {phase}", reached, LOCATION_SECONDS)


FAULTS = (
    Fault(
        "empty-volume",
        "The application schedule leaves pods out: the newest backup has the claims but not the data of their volumes.",
        ("backup_volumes_have_data", "volumes_hold_data"),
        _leave_pods_out,
        _install_again,
        schedules=(APPLICATION,),
        group="contents-1",
    ),
    Fault(
        "missing-secret",
        "The API's Secret loses the label that backups select by: the newest application backup does not have it.",
        ("secrets_sealed", "inventory_complete"),
        _unlabel_secret,
        _label_secret,
        schedules=(APPLICATION,),
        group="contents-1",
    ),
    Fault(
        "stale-backup",
        "The application schedule was paused and its newest backup is older than the schedule allows.",
        ("backup_fresh",),
        nothing,
        _remove_aged,
        afterwards=_age_backups,
        outcome="refused",
        group="preflight-2",
    ),
    Fault(
        "failed-backup",
        "A hook in the worker's pod fails, so that the newest application backup ends PartiallyFailed.",
        ("backup_complete",),
        _failing_hook,
        _no_hook,
        outcome="refused",
        schedules=(APPLICATION,),
        completes=False,
        group="preflight-1",
    ),
    Fault(
        "paused-schedule",
        "The application schedule is paused: what exists is usable, nothing new will come.",
        ("backup_schedule_active",),
        _pause,
        _resume,
        spoils=False,
        group="running",
    ),
    Fault(
        "dropped-service",
        "The dapp's Service was deleted in the source before the newest application backup.",
        ("inventory_complete",),
        _drop_service,
        _install_again,
        schedules=(APPLICATION,),
        group="contents-2",
    ),
    Fault(
        "unlabelled-pod",
        "The gateway's pod loses the label that backups select by: the newest application backup leaves it out.",
        ("every_pod_selected",),
        lambda lab, notes: _unlabel_pod(lab, notes, "dalp-erpc"),
        _label_pods,
        schedules=(APPLICATION,),
        group="velero-restarted",
    ),
    Fault(
        "bsl-unavailable",
        "The backup storage location points at an address where nothing answers and is Unavailable.",
        ("backup_location_available",),
        nothing,
        _open_location,
        afterwards=_close_location,
        outcome="refused",
        spoils=False,
        group="preflight-2",
    ),
    Fault(
        "expiring-backup",
        f"The newest backup of the support chart expires in {EXPIRES_MINUTES} minutes, before the drill's deadline.",
        ("backup_outlives_drill",),
        nothing,
        nothing,
        afterwards=_let_expire,
        outcome="refused",
        schedules=(SUPPORT,),
        group="preflight-1",
    ),
)
