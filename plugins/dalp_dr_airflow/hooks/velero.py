"""Velero's objects: backups and schedules of the source, restores into the sandbox."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks.errors import Missing
from dalp_dr_airflow.hooks.kubernetes_paths import collection, segment
from dalp_dr_airflow.hooks.kubernetes_sandbox import SandboxKubernetesHook
from dalp_dr_airflow.hooks.kubernetes_source import SourceKubernetesHook

FINISHED_TRANSFERS = frozenset({"Completed", "Failed", "Canceled"})  # of a PodVolumeRestore; an absent phase is unfinished


class VeleroHook(BaseHook):
    """Backups are read where production keeps them, restores are made where the sandbox is.

    `source` is None when production is gone: then Backups are read from the sandbox cluster, into which Velero syncs
    them from the bucket, and schedules cannot be read at all.
    """

    def __init__(self, source: SourceKubernetesHook | None, sandbox: SandboxKubernetesHook, namespace: str = "velero") -> None:
        super().__init__()
        self._source, self._sandbox, self.namespace = source, sandbox, segment(namespace)

    def backups(self, schedule: str | None = None, namespace: str | None = None) -> list[dict[str, Any]]:
        """Backup objects, oldest first; of one schedule, or of those that include one source namespace."""
        selector = f"velero.io/schedule-name={label_value(schedule)}" if schedule else None
        found = self._reader.list(self._path("backups"), selector)
        if namespace:
            found = [b for b in found if namespace in b.get("spec", {}).get("includedNamespaces", [])]
        return sorted(found, key=lambda b: b["metadata"]["creationTimestamp"])

    def backup(self, name: str) -> dict[str, Any]:
        return self._reader.get(self._path("backups", name))

    def known_backup(self, name: str, wait_seconds: float) -> dict[str, Any]:
        """A Backup object; where it comes from the bucket, Velero may need a while to find it. Missing when it does not."""
        if self._source is None:
            self._sandbox.wait(self._path("backups", name), lambda o: o is not None, wait_seconds, f"Backup {name} in the recovery cluster")
        return self.backup(name)

    def schedules(self) -> list[dict[str, Any]]:
        """Schedule objects of production. Missing when production is gone."""
        if self._source is None:
            raise Missing("The schedules cannot be read: production's cluster is gone.", "This is expected in the annual test.")
        return self._source.list(self._path("schedules"))

    def backup_location(self, name: str) -> dict[str, Any]:
        """The BackupStorageLocation the restore will read from, i.e. the one of the sandbox's Velero."""
        return self._sandbox.get(self._path("backupstoragelocations", name))

    def create_restore(self, manifest: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """`(restore, created)`. A name that exists is adopted, never made twice. A manifest with a status is refused:
        Velero would take it for its own.
        """
        if "status" in manifest or manifest.get("kind") != "Restore":
            raise InputError(
                "A Restore is created from a manifest of kind Restore without a status.",
                "This is a defect of the drill.",
            )
        return self._sandbox.create(manifest)

    def restore(self, name: str) -> dict[str, Any]:
        return self._sandbox.get(self._path("restores", name))

    def restores(self) -> list[dict[str, Any]]:
        """Every Restore of the sandbox's Velero, other people's too: one of theirs in progress goes first."""
        return self._sandbox.list(self._path("restores"))

    def pod_volume_restores(self, restore_name: str) -> list[dict[str, Any]]:
        return self._sandbox.list(self._path("podvolumerestores"), f"velero.io/restore-name={label_value(restore_name)}")

    def end(self, restore_name: str) -> list[str]:
        """End a Restore that nobody waits for any more, so that no other waits behind it; the names of what was touched.

        Its unfinished PodVolumeRestores are cancelled, which ends it. One that Velero never took up is deleted: it
        would begin whenever Velero comes back.
        """
        try:
            restore = self.restore(restore_name)
        except Missing:
            return []
        if not (restore.get("status") or {}).get("phase"):
            self.delete_restore(restore_name, restore["metadata"]["uid"])
            return [restore_name]
        unfinished = [
            p["metadata"]["name"]
            for p in self.pod_volume_restores(restore_name)
            if p.get("status", {}).get("phase") not in FINISHED_TRANSFERS
        ]
        for name in unfinished:
            self._sandbox.patch(self._path("podvolumerestores", name), {"spec": {"cancel": True}})
        return unfinished

    def delete_restore(self, name: str, uid: str) -> bool:
        """Delete a finished Restore; Velero then removes its files from the bucket too, so keep them first. False:
        gone already.
        """
        return self._sandbox.delete(self._path("restores", name), uid)

    def server_version(self) -> str:
        """Version of the Velero that restores, from the image of its Deployment `velero`: the tag, or the whole
        reference.
        """
        deployment = self._sandbox.get(f"{collection('apps/v1', 'deployments', self.namespace)}/velero")
        image = str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
        return image.rpartition("@")[2] if "@" in image else image.rpartition("/")[2].partition(":")[2] or image

    def server(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Deployment of the Velero that restores, and DaemonSet of its node agents."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}"
        return self._sandbox.get(f"{path}/deployments/velero"), self._sandbox.get(f"{path}/daemonsets/node-agent")

    @property
    def _reader(self) -> SourceKubernetesHook | SandboxKubernetesHook:
        return self._source or self._sandbox

    def _path(self, plural: str, name: str | None = None) -> str:
        found = collection("velero.io/v1", plural, self.namespace)
        return f"{found}/{segment(name)}" if name else found


def label_value(name: str) -> str:
    """A name as Velero writes it into a label: beyond 63 characters, the first 57 and six hex digits of its sha256."""
    return name if len(name) <= 63 else name[:57] + hashlib.sha256(name.encode()).hexdigest()[:6]
