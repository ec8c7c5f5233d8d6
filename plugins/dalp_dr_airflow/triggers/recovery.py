"""Waits for a CloudNativePG recovery, and keeps its logs, which the operator deletes with the job as soon as it
succeeds.
"""

from __future__ import annotations

from typing import Any

from dalp_dr.database import recovery, recovery_log
from dalp_dr.model.status import Failed, Status, Waiting
from dalp_dr_airflow.hooks.cnpg import RECOVERY_CONTAINERS
from dalp_dr_airflow.hooks.errors import CallError, redact
from dalp_dr_airflow.hooks.kubernetes_paths import collection
from dalp_dr_airflow.hooks.kubernetes_watch import AsyncReads
from dalp_dr_airflow.triggers.custom_object import CustomObjectTrigger

LOG_LINES = 1000
ATTEMPTS = 3  # failed attempts after which a cause that may pass is taken for one that will not
LONGEST_LOG_CHARACTERS = 120_000


class RecoveryTrigger(CustomObjectTrigger):
    """Done when the cluster is healthy, failed as soon as a recovery pod failed.

    The event also carries `pods` (names of the failed recovery pods) and `logs` ({container: last lines, redacted} of
    the newest recovery pod seen, empty when none was seen).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.logs: dict[str, str] = {}
        self.failed_pods: list[str] = []

    async def look(self, reads: AsyncReads) -> Status:
        pods = await reads.list(collection("v1", "pods", self.namespace), f"cnpg.io/cluster={self.name}")
        jobs = sorted(
            (p for p in pods if p["metadata"].get("labels", {}).get("cnpg.io/jobRole")),
            key=lambda p: str(p["metadata"].get("creationTimestamp")),
        )
        self.failed_pods = [p["metadata"]["name"] for p in jobs if p.get("status", {}).get("phase") == "Failed"]
        if jobs:
            first_failed = [p for p in jobs if p["metadata"]["name"] in self.failed_pods]
            await self._keep_logs(reads, (first_failed or jobs[-1:])[0]["metadata"]["name"])
        cluster = await reads.get(f"{collection('postgresql.cnpg.io/v1', 'clusters', self.namespace)}/{self.name}")
        status = recovery.status(cluster, pods)
        if isinstance(status, Failed) and 0 < len(self.failed_pods) < ATTEMPTS and self.logs:
            cause = recovery_log.cause_of_failure(self.logs)
            if recovery_log.may_pass(cause):
                return Waiting(f"attempt {len(self.failed_pods)} failed: {cause}; the operator tries again")
        return status

    def extras(self) -> dict[str, Any]:
        return {"pods": self.failed_pods, "logs": self.logs}

    async def _keep_logs(self, reads: AsyncReads, pod: str) -> None:
        for container in RECOVERY_CONTAINERS:
            try:
                text = await reads.log(self.namespace, pod, container, LOG_LINES)
            except CallError:  # not started yet, or deleted meanwhile: what was read before stays
                continue
            if text:
                self.logs[container] = redact(text)[-LONGEST_LOG_CHARACTERS:]
