"""The watch between drills as a task sees it: a drill's hooks and records, a plan that is never frozen, and nothing that writes outside."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from dalp_dr import planning
from dalp_dr.evidence import records
from dalp_dr.model.check import Surface
from dalp_dr.model.record import Record
from dalp_dr.naming import digest_of_run
from dalp_dr.posture import standing
from dalp_dr_airflow.drill import Drill, Judged, environment_of, now

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dalp_dr.model.plan import DrillPlan
    from dalp_dr_airflow.hooks.evidence import EvidenceStoreHook
    from dalp_dr_airflow.hooks.velero import VeleroHook


class Watch(Drill):
    """One look at an environment. Its records lie below `posture/`, outside of every drill, so that no drill and no claim sees them."""

    @classmethod
    def look(cls, context: Context, environment: str) -> Watch:
        """The watch of a running task: id from the run, so that its tasks find each other's records."""
        run, ti = context["dag_run"], context["ti"]
        found = environment_of(environment)
        return cls(f"p-{run.run_after:%Y%m%dT%H%M%S}-{digest_of_run(run.dag_id, run.run_id)}", found, ti.task_id, ti.try_number)

    @cached_property
    def plan(self) -> DrillPlan:
        """What preflight's judges ask of a plan: the environment, and now as the incident time. It is kept nowhere."""
        moment = now()
        asked_at = datetime.fromisoformat(moment)
        request = planning.Request("backup_posture", self.drill_id, asked_at, "watch", "", tuple(Surface), "latest", None, False)
        plan = planning.freeze(request, self.environment, self.environment, moment, None, (), None)
        return replace(plan, drill_id=self.drill_id)

    @cached_property
    def velero(self) -> VeleroHook:
        """Velero as the reader of production sees it; nothing of the watch reaches the sandbox."""
        from dalp_dr_airflow.hooks.velero import VeleroHook

        return VeleroHook(self.source, self.source, self.environment.source.velero_namespace)  # type: ignore[arg-type]

    @cached_property
    def evidence(self) -> EvidenceStoreHook:
        """Kept for the days that the environment says: an hourly look is no proof that must last for years."""
        from dalp_dr_airflow.hooks.evidence import EvidenceStoreHook

        found = self.environment
        return EvidenceStoreHook(found.connections.evidence_store, found.evidence_bucket, found.evidence_lock, found.posture.keep_days)

    def key(self, *parts: str) -> str:
        return "/".join(("posture", self.environment.name, self.drill_id, *parts))

    def records(self) -> list[Record]:
        prefix = self.key("records") + "/"
        return [records.decode(self.evidence.get(key), key) for key in self.evidence.list(prefix)]

    def _judge(self, record: Record, uri: str, sha256: str, size: int) -> Judged:
        return Judged(record, uri, sha256, size, standing.judge(record, self.plan))
