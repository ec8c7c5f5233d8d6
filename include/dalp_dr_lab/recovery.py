"""The second, empty cluster beside the first, and the loss of the first: what the annual test needs.

recovery    start the second cluster with Velero, CloudNativePG, our image and the drill's rights
lose        stop the source cluster for good: kubelet, API server, pods; store, Git and chain survive
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from dalp_dr_lab import ground, operators, owner, state
from dalp_dr_lab.airflow import identities
from dalp_dr_lab.airflow.places import Places
from dalp_dr_lab.cluster import images, lifecycle, node
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import BACKUP_PREFIX, BUCKETS, Lab
from dalp_dr_lab.miniature import backup, deploy, image, source
from dalp_dr_lab.progress import step

SYNC_SECONDS = 180  # Velero looks for backups of others in the bucket once a minute


def up(lab: Lab) -> Lab:
    """Start the second cluster and everything that must be there before a restore; returns the lab that knows it."""
    if lab.external_cluster:
        raise LabError("The lab on a given cluster has no second one. Unset LAB_KUBECONFIG.")
    with step("a second, empty Kubernetes"):
        lifecycle.up(ground.RECOVERY)
        images.load(ground.RECOVERY, [image.build()])
    lab = Lab.load()
    there = lab.on_recovery()
    with step("Velero, CloudNativePG and the plugin there"):
        operators.install(there, ground.RECOVERY)
        there.kubectl("apply", "--server-side", "--filename=-", input=deploy.OUTSIDE.read_text())
        there.kubectl("-n", "outside", "rollout", "status", "deployment/sink", f"--timeout={deploy.READY_SECONDS}s")
        identities.write_recovery_kubeconfig(lab, Places(lab.checkout, lab.home))
    with step("backups of the source known there"):
        source.wait("backups in the second cluster", lambda: not unknown_backups(there), SYNC_SECONDS)
    return lab


def unknown_backups(there: Lab) -> set[str]:
    """Backups in the bucket that the second cluster's Velero has not yet found."""
    root = f"{BACKUP_PREFIX}/backups/"
    pages = there.s3("admin").get_paginator("list_objects_v2").paginate(Bucket=BUCKETS["backups"], Prefix=root)
    kept = {key.removeprefix(root).partition("/")[0] for page in pages for key in (o["Key"] for o in page.get("Contents", []))}
    known = json.loads(there.kubectl("-n", "velero", "get", "backups.velero.io", "-o", "json"))["items"]
    finished = {item["metadata"]["name"] for item in known if item.get("status", {}).get("phase") in backup.TERMINAL}
    return kept - finished


def lose(lab: Lab) -> None:
    """Stop the source cluster for good; LabError when it does not run, since then there is nothing to lose."""
    if ground.lost(lab) or not lifecycle.running(ground.SOURCE):
        raise LabError("The source cluster does not run: there is nothing to lose. Start the lab with `python -m dalp_dr_lab up`.")
    with step("the source cluster is lost"):
        lifecycle.down(ground.SOURCE)
        node.dead_end(ground.SOURCE)
    with state.change(lab.folder) as now:
        now["notes"][ground.LOST] = datetime.now(UTC).isoformat(timespec="seconds")


def main(words: Sequence[str]) -> int:
    """`recovery` or `lose`, one lab command at a time."""
    lab = Lab.load()
    with owner.one_at_a_time(lab):
        lose(lab) if list(words) == ["lose"] else up(lab)
    return 0
