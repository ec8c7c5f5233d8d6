"""The database: point-in-time recovery by CloudNativePG, the proof of the recovered point, and integrity."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dalp_dr.database import facts, recovery, recovery_log
from dalp_dr.errors import FactError
from dalp_dr.isolation import routes
from dalp_dr.model.check import Surface
from dalp_dr_airflow.drill import Drill, Gathered, now
from dalp_dr_airflow.hooks.errors import Missing
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.isolate import SandboxOperator, remove
from dalp_dr_airflow.triggers.recovery import RecoveryTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class CnpgRecoveryOperator(DrillOperator):
    """Creates the recovery Cluster in the sandbox once and waits for it in the triggerer.

    :param wait_minutes: own deadline of the recovery; a recovery that cannot succeed is called earlier, from its pods' logs.
    """

    surface = Surface.DATABASE

    def __init__(self, *, wait_minutes: int = 60, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wait_minutes = wait_minutes

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("database_recovery", lambda: self.recovered(drill, None))

    def execute(self, context: Context) -> Any:
        drill = Drill.open(context)
        if not self.in_scope(drill):
            return []
        drill.begin()
        for manifest in recovery.manifests(drill.plan):
            SandboxOperator.make(drill, manifest)
        database = drill.plan.environment.database
        self.defer(
            trigger=RecoveryTrigger(
                conn_id=drill.environment.connections.sandbox_kubernetes,
                namespace=drill.plan.namespace(drill.plan.database_role),
                name=database.cluster,
                timeout_seconds=self.wait_minutes * 60,
            ),
            method_name="execute_complete",
            kwargs={"began_at": drill.began_at},
            timeout=timedelta(minutes=self.wait_minutes + 5),
        )

    def execute_complete(self, context: Context, event: dict[str, Any], began_at: str) -> Any:
        drill = Drill.open(context)
        self.log.info("Recovery: %s %s", event["status"], event.get("message", ""))
        gathered = [attempt("database_recovery", lambda: self.recovered(drill, event))]
        if event["status"] == "done":
            self.close_store_route(drill)
        return self.conclude(drill, context, gathered, began_at)

    @staticmethod
    def recovered(drill: Drill, event: dict[str, Any] | None) -> Gathered:
        """Cluster, the recovery's logs where a pod failed or the trigger kept them, and the archive as it is afterwards."""
        namespace, database = drill.plan.namespace(drill.plan.database_role), drill.plan.environment.database
        cluster = drill.cnpg.cluster(namespace, database.cluster)
        failed = drill.cnpg.failed_recovery_pods(namespace, database.cluster)
        logs = failed[0]["logs"] if failed else (event or {}).get("logs")
        failure = recovery_log.cause_of_failure(logs) if logs and (failed or (event or {}).get("status") == "failed") else None
        found = facts.database_recovery(drill.plan, cluster, logs, drill.catalog.objects(), now(), failure)
        shown = {"spec": cluster["spec"], "status": cluster.get("status"), "metadata": {"name": cluster["metadata"]["name"]}}
        asked = f"kubernetes: clusters.postgresql.cnpg.io {namespace}/{database.cluster}"
        return Gathered("database_recovery", found, captures={"cluster": (asked, shown)})

    @staticmethod
    def close_store_route(drill: Drill) -> None:
        """Only the recovery job needs the backup store."""
        for manifest in routes.database(drill.plan):
            if manifest["metadata"]["name"] == routes.STORE_ROUTE:
                try:
                    remove(drill, manifest)
                except Missing:
                    continue


class RecoveryPointProofOperator(DrillOperator):
    """Timeline, LSN, last commit, heartbeat and system identifier of the restored database."""

    surface = Surface.DATABASE

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("database_recovery_point", lambda: self.proof(drill))

    @staticmethod
    def proof(drill: Drill) -> Gathered:
        rows = drill.sql("recovery", "settings")
        heartbeat, last_commit = (optional_rows(drill, name) for name in ("heartbeat", "last_commit"))
        cluster = drill.cnpg.cluster(drill.plan.namespace(drill.plan.database_role), drill.plan.environment.database.cluster)
        found = facts.recovery_point(
            drill.plan, recovery=rows["recovery"], heartbeat=heartbeat, last_commit=last_commit, settings=rows["settings"], cluster=cluster
        )
        return Gathered("database_recovery_point", found, captures={"recovery": ("sql: recovery.sql", rows["recovery"])})


def optional_rows(drill: Drill, name: str) -> list[dict[str, Any]] | None:
    """Rows of one SQL text, or None where this database does not have what it asks for: production need not write a heartbeat."""
    try:
        return drill.sql(name)[name]
    except FactError:
        return None
