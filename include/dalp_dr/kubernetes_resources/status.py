"""Reads a Velero Restore and its PodVolumeRestores into a status."""

from __future__ import annotations

from typing import Any

from dalp_dr.model.status import Done, Failed, Status, Waiting

RESTORE_TERMINAL = {"Completed", "PartiallyFailed", "Failed", "FailedValidation"}
VOLUME_TERMINAL = {"Completed", "Failed", "Canceled"}


def restore_status(restore: dict[str, Any], pod_volume_restores: list[dict[str, Any]]) -> Status:
    """Waiting until the Restore *and* each of its PodVolumeRestores is terminal.

    A PodVolumeRestore may complete after its Restore ended PartiallyFailed; an absent phase means not yet seen.
    `Failed` only for FailedValidation and Failed, where Velero itself gives no more: PartiallyFailed is a fact to judge.
    """
    status = restore.get("status") or {}
    phase = status.get("phase") or ""
    name = restore["metadata"]["name"]
    if phase == "FailedValidation":
        return Failed(f"Restore {name}: FailedValidation: {'; '.join(status.get('validationErrors') or ['no reason given'])}")
    if phase == "Failed":
        return Failed(f"Restore {name}: Failed: {status.get('failureReason') or 'no reason given'}")
    open_ = [p for p in pod_volume_restores if (p.get("status") or {}).get("phase") not in VOLUME_TERMINAL]
    if phase in RESTORE_TERMINAL and not open_:
        return Done({"phase": phase, "volumes": len(pod_volume_restores)})
    progress = status.get("progress") or {}
    done = sum((p.get("status") or {}).get("progress", {}).get("bytesDone", 0) for p in pod_volume_restores)
    what = (
        f"Restore {name} {phase or 'New'}, {progress.get('itemsRestored', 0)}/{progress.get('totalItems', 0)} objects, "
        f"{len(pod_volume_restores) - len(open_)}/{len(pod_volume_restores)} volumes, {done} bytes"
    )
    return Waiting(what, len(pod_volume_restores) - len(open_), len(pod_volume_restores))


def queued_status(restore: dict[str, Any], restores: list[dict[str, Any]], pod_volume_restores: list[dict[str, Any]]) -> Status:
    """The status of a Restore that Velero has not taken up: it runs one at a time, so what moves is the one that is running."""
    running = [r for r in restores if (r.get("status") or {}).get("phase") and r["status"]["phase"] not in RESTORE_TERMINAL]
    own = restore_status(restore, [])
    if not running or not isinstance(own, Waiting):
        return own
    names = {r["metadata"]["name"] for r in running}
    theirs = [p for p in pod_volume_restores if p["metadata"].get("labels", {}).get("velero.io/restore-name") in names]
    ahead = [f"{s.what}" for r in running if isinstance(s := restore_status(r, theirs), Waiting)]
    return Waiting(f"{own.what}; behind {'; '.join(ahead)}", own.done, own.total)
