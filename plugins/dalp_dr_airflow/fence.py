"""What keeps a drill from going on: it was stopped, its sandbox was removed, or another holder has the environment's lease."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dalp_dr import lease
from dalp_dr.errors import RefusedError
from dalp_dr.evidence import canonical, ledger
from dalp_dr_airflow.drill import LEASE_NAMESPACE
from dalp_dr_airflow.hooks.errors import Conflict, Missing

if TYPE_CHECKING:
    from dalp_dr_airflow.drill import Drill

STOPPED = "stopped.json"
MARGIN_MINUTES = 60  # the lease outlives the drill's deadline by this much


def must_go_on(drill: Drill) -> None:
    """Raises RefusedError for a drill that was stopped or torn down: there is nothing left that it may touch."""
    if said := stopped(drill):
        raise RefusedError(f"This drill was stopped: {in_words(said)}.", "Start a new drill when the cause is gone.")
    if torn_down(drill):
        raise RefusedError("The sandbox of this drill was removed after its seal.", "Start a new drill; the evidence of this one stays.")


def stop(drill: Drill, by: str, reason: str, at: str) -> dict[str, Any]:
    """Writes the fence; a drill that was stopped already stays stopped as it was. Returns what stands."""
    if said := stopped(drill):
        return said
    said = {"schema_version": 1, "drill_id": drill.drill_id, "at": at, "by": by, "reason": reason}
    drill.evidence.put(drill.key(STOPPED), canonical.dumps(said))
    return said


def stopped(drill: Drill) -> dict[str, Any] | None:
    """Who stopped this drill outside of Airflow, when and why; None when nobody did."""
    key = drill.key(STOPPED)
    if key not in drill.evidence.list(key):
        return None
    found: dict[str, Any] = canonical.loads(drill.evidence.get(key), key)
    return found


def in_words(said: dict[str, Any]) -> str:
    """One sentence about a stop."""
    return f"{said['by']} stopped the drill at {said['at']}: {said['reason']}"


def torn_down(drill: Drill) -> bool:
    """Whether the newest teardown entry in the ledger says that the sandbox is gone."""
    said = last_teardown(drill)
    return said is not None and "kept_until" not in said


def last_teardown(drill: Drill) -> dict[str, Any] | None:
    """The newest teardown entry of this drill; None when there is none."""
    keys = [key for key in drill.evidence.list(ledger.PREFIX) if key.endswith(f"-{drill.drill_id}-teardown.json")]
    return ledger.read(drill.evidence, keys[-1]).payload if keys else None


# ---- the lease


def path_of(drill: Drill) -> str:
    """Where the environment's Lease is."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{LEASE_NAMESPACE}/leases/{lease.name(drill.environment.name)}"


def hold_lease(drill: Drill) -> None:
    """Takes, renews or adopts the lease. Raises RefusedError when another drill, or an incident, holds it."""
    moment = datetime.now(UTC)
    hours = (drill.environment.deadline_minutes + MARGIN_MINUTES) / 60
    take(drill, lease.manifest(LEASE_NAMESPACE, drill.environment.name, drill.drill_id, moment, hours), moment)


def keep_lease(drill: Drill) -> None:
    """As `hold_lease`, but a lease of ours that has not run out is left as it is."""
    held = holder(drill)
    if held is None or held.drill_id != drill.drill_id or lease.expired(held, datetime.now(UTC)):
        hold_lease(drill)


def holder(drill: Drill) -> lease.Holder | None:
    """Who holds the environment's lease, valid or not; None when nobody does."""
    try:
        return lease.holder(drill.sandbox.get(path_of(drill)))
    except Missing:
        return None


def take(drill: Drill, wanted: dict[str, Any], moment: datetime, by_force: bool = False) -> None:
    """Writes the lease where it is free, ours or expired. `by_force`: whoever holds it; an incident has the right of way."""
    try:
        found = drill.sandbox.get(path_of(drill))
    except Missing:
        found, created = drill.sandbox.create(wanted)
        if created:
            return
    if not by_force:
        lease.must_be_free(found, wanted["spec"]["holderIdentity"], moment)
    wanted["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
    try:
        drill.sandbox.replace(wanted)
    except Conflict as conflict:
        raise RefusedError("Somebody else took the lease of this environment at the same moment.", "Try again.") from conflict


def release(drill: Drill) -> None:
    """Gives the lease back if this drill still holds it."""
    try:
        found = drill.sandbox.get(path_of(drill))
    except Missing:
        return
    if lease.holder(found).drill_id == drill.drill_id:
        drill.sandbox.delete(path_of(drill), found["metadata"]["uid"])
