"""Waits for a Velero Restore and all of its volumes."""

from __future__ import annotations

from dalp_dr.kubernetes_resources.status import queued_status, restore_status
from dalp_dr.model.status import Status
from dalp_dr_airflow.hooks.kubernetes_paths import collection
from dalp_dr_airflow.hooks.kubernetes_watch import AsyncReads
from dalp_dr_airflow.hooks.velero import label_value
from dalp_dr_airflow.triggers.custom_object import CustomObjectTrigger


class RestoreTrigger(CustomObjectTrigger):
    """Done when the Restore and each of its PodVolumeRestores is terminal, which may be after the Restore's own end."""

    async def look(self, reads: AsyncReads) -> Status:
        restore = await reads.get(f"{collection('velero.io/v1', 'restores', self.namespace)}/{self.name}")
        volumes = await reads.list(
            collection("velero.io/v1", "podvolumerestores", self.namespace),
            f"velero.io/restore-name={label_value(self.name)}",
        )
        if (restore.get("status") or {}).get("phase"):
            return restore_status(restore, volumes)
        others = await reads.list(collection("velero.io/v1", "restores", self.namespace), "")
        return queued_status(restore, others, await reads.list(collection("velero.io/v1", "podvolumerestores", self.namespace), ""))
