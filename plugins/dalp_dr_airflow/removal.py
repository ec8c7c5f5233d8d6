"""Finds, cancels, removes and proves gone everything that one drill made; by label, token and UID, never by name alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dalp_dr import naming
from dalp_dr.isolation import ownership
from dalp_dr_airflow.hooks.kubernetes_paths import collection, path_of

if TYPE_CHECKING:
    from dalp_dr.model.plan import DrillPlan
    from dalp_dr_airflow.hooks.backup_store import BackupStoreHook
    from dalp_dr_airflow.hooks.kubernetes_sandbox import SandboxKubernetesHook
    from dalp_dr_airflow.hooks.velero import VeleroHook

GONE_SECONDS = 180
POLL_SECONDS = 1.0
NOT_OURS, RETAINED = "not ours", "its reclaim policy is"  # in what no waiting removes


class Removal:
    """What one drill made outside of its sandbox namespaces, and the namespaces themselves.

    Finalizers are never stripped: what a namespace waits for is named. A volume that outlives its claim is named too; only
    its storage class may remove it.
    """

    def __init__(self, plan: DrillPlan, kubernetes: SandboxKubernetesHook, velero: VeleroHook, store: BackupStoreHook) -> None:
        self.plan, self.kubernetes, self.velero, self.store = plan, kubernetes, velero, store
        self.selector = f"{naming.LABEL_DRILL}={plan.drill_id}"
        self.restore_names: set[str] = set()  # also of those that are gone by now

    def found(self) -> list[dict[str, Any]]:
        """ConfigMaps, Restores and namespaces with this drill's label, in the order of their removal."""
        place = self.velero.namespace
        maps = self.kubernetes.list(collection("v1", "configmaps", place), self.selector)
        restores = self.kubernetes.list(collection("velero.io/v1", "restores", place), self.selector)
        self.restore_names |= {str(r["metadata"]["name"]) for r in restores}
        return [*maps, *restores, *self.kubernetes.list("/api/v1/namespaces", self.selector)]

    def remove(self) -> tuple[str, ...]:
        """Cancels what is under way, then deletes each object that is proven to be this drill's; returns what was asked to go."""
        mine = [item for item in self.found() if ownership.proven(item, self.plan)]
        for item in mine:
            if item["kind"] == "Restore":
                self.velero.end(item["metadata"]["name"])  # or everybody's next Restore waits behind it
        gone = []
        for item in mine:
            if "deletionTimestamp" not in item["metadata"]:
                self.kubernetes.delete(path_of(item), item["metadata"]["uid"])
            gone.append(ownership.title(item))
        return tuple(gone)

    def wait(self, seconds: float = GONE_SECONDS) -> tuple[str, ...]:
        """What is still there when all that can go is gone or the time is up, each with what holds it."""
        deadline = time.monotonic() + seconds
        while True:
            left = self.remaining()
            going = [name for name in left if NOT_OURS not in name and RETAINED not in name]
            if not going or time.monotonic() > deadline:
                return left
            time.sleep(POLL_SECONDS)

    def remaining(self) -> tuple[str, ...]:
        """Everything of the drill that is there now: objects, volumes, transfers, Velero's files about its Restores."""
        return tuple(sorted((*self._objects(), *self._volumes(), *self._transfers(), *self._files())))

    def _objects(self) -> Iterator[str]:
        for item in self.found():
            if not ownership.proven(item, self.plan):
                yield f"{ownership.title(item)} ({NOT_OURS}: it has this drill's label and another token)"
                continue
            holders = ownership.held_by(item) if item["kind"] == "Namespace" else tuple(item["metadata"].get("finalizers") or ())
            yield ownership.title(item) + (f" (held by {'; '.join(holders)})" if holders else "")

    def _volumes(self) -> Iterator[str]:
        names = {self.plan.namespace(role) for role in self.plan.roles}
        for volume in self.kubernetes.list("/api/v1/persistentvolumes"):
            if (volume["spec"].get("claimRef") or {}).get("namespace") in names:
                policy = volume["spec"].get("persistentVolumeReclaimPolicy")
                kept = f" ({RETAINED} {policy}: restored data stays on it)" if policy != "Delete" else ""
                yield f"{ownership.title(volume)}{kept}"

    def _transfers(self) -> Iterator[str]:
        for name in sorted(self.restore_names):
            for item in self.velero.pod_volume_restores(name):
                yield f"podvolumerestores/{item['metadata']['name']}"

    def _files(self) -> Iterator[str]:
        for name in sorted(self.restore_names):
            if self.store.restore_files(name):
                yield f"{self.store.bucket}:restores/{name}/"
