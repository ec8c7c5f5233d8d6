"""The recovery points of the lab: which there are, and how they are removed when a fault is mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import BACKUP_PREFIX, BUCKETS, Lab
from dalp_dr_lab.miniature import backup, source

DELETE_SECONDS = 120
ARCHIVE = f"{BACKUP_PREFIX}/{backup.SERVER}"


@dataclass(frozen=True)
class BaseBackup:
    """One finished base backup in the bucket: its id (the folder's name) and its first and last segment."""

    id: str
    begin_segment: str
    end_segment: str


def base_backups(lab: Lab) -> list[BaseBackup]:
    """All finished base backups of the archive, oldest first, as their backup.info says."""
    store, found = lab.s3("admin"), []
    for item in _keys(lab, BUCKETS["wal"], f"{ARCHIVE}/base/"):
        if item.endswith("/backup.info"):
            text = store.get_object(Bucket=BUCKETS["wal"], Key=item)["Body"].read().decode()
            facts = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
            if facts.get("status") == "DONE":
                found.append(BaseBackup(item.split("/")[-2], facts["begin_wal"], facts["end_wal"]))
    return sorted(found, key=lambda one: one.id)


def newest_base_backup(lab: Lab) -> BaseBackup:
    """The newest finished base backup; LabError when there is none."""
    if not (found := base_backups(lab)):
        raise LabError("The archive has no finished base backup. Run `python -m dalp_dr_lab backup` first.")
    return found[-1]


def velero_backups(lab: Lab) -> list[dict[str, Any]]:
    """All Velero Backups, newest first by their start."""
    items = source.objects(lab, "velero", "backups.velero.io")
    return sorted(items, key=lambda item: item.get("status", {}).get("startTimestamp", ""), reverse=True)


def delete_velero_backups(lab: Lab, names: list[str]) -> None:
    """Delete Backups with their data by Velero itself and wait until they are gone."""
    for name in names:
        request = {
            "apiVersion": "velero.io/v1",
            "kind": "DeleteBackupRequest",
            "metadata": {"generateName": f"{name}-", "namespace": "velero", "labels": {"velero.io/backup-name": name}},
            "spec": {"backupName": name},
        }
        lab.kubectl("create", "--filename=-", input=json.dumps(request))

    def gone() -> bool:
        there = {item["metadata"]["name"] for item in source.objects(lab, "velero", "backups.velero.io")}
        return not there & set(names)

    if names:
        source.wait(f"deletion of {', '.join(names)}", gone, DELETE_SECONDS)


def remove_velero_since(lab: Lab, moment: datetime) -> list[str]:
    """Delete every Velero Backup made since a moment; returns their names."""
    names = [
        item["metadata"]["name"]
        for item in velero_backups(lab)
        if datetime.fromisoformat(item["metadata"]["creationTimestamp"]) >= moment.replace(microsecond=0)
    ]
    delete_velero_backups(lab, names)
    return names


def begin_window_anew(lab: Lab) -> None:
    """Remove every base backup but the newest, and the WAL before it: no earlier moment can be restored any more."""
    kept, *older = reversed(base_backups(lab))
    for one in older:
        delete_versions(lab, BUCKETS["wal"], f"{ARCHIVE}/base/{one.id}/")
    folder = f"{ARCHIVE}/wals/"
    old = [key for key in _keys(lab, BUCKETS["wal"], folder) if key.rpartition("/")[2][:24] < kept.begin_segment]
    for key in old:
        delete_versions(lab, BUCKETS["wal"], key)
    for item in source.objects(lab, "dalp", "backups.postgresql.cnpg.io"):
        if item.get("status", {}).get("backupId") != kept.id:
            lab.kubectl("-n", "dalp", "delete", "backups.postgresql.cnpg.io", item["metadata"]["name"])


def delete_versions(lab: Lab, bucket: str, prefix: str) -> None:
    """Remove every version and delete marker below a prefix."""
    store = lab.s3("admin")
    for page in store.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        for item in found:
            store.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])


def _keys(lab: Lab, bucket: str, prefix: str) -> Iterator[str]:
    for page in lab.s3("admin").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            yield item["Key"]
