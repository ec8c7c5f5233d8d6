"""Who owns what a drill made, and when somebody else than the drill may remove it.

Labels alone are no proof: they can be copied, and a tool may copy them. The token beside them follows from the plan in the
evidence store. What has our labels and another token is named and left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dalp_dr import naming
from dalp_dr.lease import Holder
from dalp_dr.model.plan import DrillPlan, utc

UNDER_WAY, ENDED, GONE, UNKNOWN = "under way", "ended", "gone", "unknown"  # what Airflow says about a run
HOLDING = (
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
    "NamespaceDeletionContentFailure",
    "NamespaceDeletionDiscoveryFailure",
)


@dataclass(frozen=True)
class Ruling:
    """Whether the objects of a drill may be removed by somebody else, and why (not)."""

    remove: bool
    why: str


@dataclass(frozen=True)
class Standing:
    """What is known about a drill. `plan` None: the evidence store has none.

    `run`: UNDER_WAY, ENDED, GONE (Airflow does not know it) or UNKNOWN (Airflow did not answer). `kept_until`: what its
    last teardown said, RFC 3339 UTC. `stopped`: somebody stopped it outside of Airflow.
    """

    drill_id: str
    plan: DrillPlan | None
    run: str
    lease: Holder | None = None
    kept_until: str | None = None
    stopped: bool = False


def holds_lease(drill_id: str, lease: Holder | None, now: datetime) -> bool:
    """Whether the drill holds a lease that has not expired."""
    return lease is not None and lease.drill_id == drill_id and utc(lease.expires_at) > now


def ruling(found: Standing, now: datetime) -> Ruling:
    """A living drill is never touched; a dead one's sandbox stays as long as its teardown promised on-call."""
    if found.plan is None:
        return Ruling(False, "the evidence store has no plan of it, so nothing proves whose it is")
    if found.stopped:
        return Ruling(True, "it was stopped")
    if found.run not in (ENDED, GONE) and holds_lease(found.drill_id, found.lease, now):
        return Ruling(False, "it holds the lease")
    if utc(found.plan.expires_at) <= now:
        return Ruling(True, f"it expired at {found.plan.expires_at}")
    if found.run == UNDER_WAY:
        return Ruling(False, "its run is under way in Airflow")
    if found.kept_until and utc(found.kept_until) > now:
        return Ruling(False, f"it is kept for on-call until {found.kept_until}")
    if found.run == UNKNOWN:
        return Ruling(True, "its lease has run out or was given back, and nobody asked to keep it")
    return Ruling(True, f"its run has {'ended' if found.run == ENDED else 'gone from Airflow'}, and nobody asked to keep it")


def strangers(items: Iterable[Mapping[str, Any]], plan: DrillPlan) -> tuple[str, ...]:
    """Objects that carry this drill's label but not its token: not ours to remove."""
    return tuple(sorted(title(item) for item in items if not proven(item, plan)))


def proven(item: Mapping[str, Any], plan: DrillPlan) -> bool:
    """Whether an object carries every ownership label of the drill with the value its plan gives it."""
    labels = item["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in plan.labels.items())


def held_by(namespace: Mapping[str, Any]) -> tuple[str, ...]:
    """What the API server says keeps a namespace that is being deleted: kinds, counts and finalizers, in its words."""
    conditions = (namespace.get("status") or {}).get("conditions") or ()
    return tuple(str(c.get("message") or c["type"]) for c in conditions if c.get("type") in HOLDING and c.get("status") == "True")


def title(item: Mapping[str, Any]) -> str:
    """`namespaces/<name>`, as teardown statements name things."""
    kinds = {"Namespace": "namespaces", "Restore": "restores", "ConfigMap": "configmaps", "PersistentVolume": "persistentvolumes"}
    return f"{kinds.get(item['kind'], item['kind'].lower())}/{item['metadata']['name']}"


def drill_of(item: Mapping[str, Any]) -> str:
    """The drill an object is labelled with; empty when it is not."""
    return str((item["metadata"].get("labels") or {}).get(naming.LABEL_DRILL) or "")
