"""Takes, adopts and gives back the lease of an environment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dalp_dr import lease, planning
from dalp_dr.errors import RefusedError
from dalp_dr_airflow.drill import LEASE_NAMESPACE
from dalp_dr_airflow.hooks.errors import Conflict, Missing

if TYPE_CHECKING:
    from dalp_dr_airflow.drill import Drill

MARGIN_MINUTES = 60  # the lease outlives the drill's deadline by this much


def take_lease(drill: Drill, asked: planning.Request) -> None:
    """Takes or adopts the environment's lease. Raises RefusedError when another drill holds it."""
    name, moment = drill.environment.name, datetime.now(UTC)
    path = f"/apis/coordination.k8s.io/v1/namespaces/{LEASE_NAMESPACE}/leases/dalp-drill-{name}"
    hours = (drill.environment.deadline_minutes + MARGIN_MINUTES) / 60
    wanted = lease.manifest(LEASE_NAMESPACE, name, asked.drill_id, moment, hours)
    try:
        found = drill.sandbox.get(path)
    except Missing:
        found, created = drill.sandbox.create(wanted)
        if created:
            return
    lease.must_be_free(found, asked.drill_id, moment)
    wanted["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
    try:
        drill.sandbox.replace(wanted)
    except Conflict as conflict:
        raise RefusedError("Another drill took the lease of this environment at the same moment.", "Try again.") from conflict


def release_lease(drill: Drill) -> None:
    """Gives the lease back if this drill still holds it."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{LEASE_NAMESPACE}/leases/dalp-drill-{drill.environment.name}"
    try:
        found = drill.sandbox.get(path)
    except Missing:
        return
    if lease.holder(found).drill_id == drill.drill_id:
        drill.sandbox.delete(path, found["metadata"]["uid"])
