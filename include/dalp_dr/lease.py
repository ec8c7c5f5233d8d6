"""One drill at a time for each environment: a Lease that survives a crash, is adopted by a rerun, and expires."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dalp_dr import naming
from dalp_dr.errors import RefusedError
from dalp_dr.model.plan import utc

NEVER = "9999-12-31T00:00:00+00:00"
JANITOR = "janitor"  # holds it while it removes what a dead drill left
INCIDENT = "incident"  # begins the holder's name while a real recovery has the right of way


@dataclass(frozen=True)
class Holder:
    """Who holds the lease, and until when."""

    drill_id: str
    expires_at: str


def name(environment: str) -> str:
    """The Lease object of an environment."""
    return f"dalp-drill-{environment}"


def manifest(namespace: str, environment: str, drill_id: str, now: datetime, hours: float, label: str | None = None) -> dict[str, Any]:
    """The Lease object of an environment, held by `drill_id` from `now` on. `label`: for a holder whose name is no label's value."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name(environment),
            "namespace": namespace,
            "labels": naming.labels(label or drill_id, environment),
            "annotations": {naming.ANNOTATION_EXPIRES: (now + timedelta(hours=hours)).isoformat()},
        },
        "spec": {
            "holderIdentity": drill_id,
            "leaseDurationSeconds": int(hours * 3600),
            "acquireTime": now.isoformat(timespec="microseconds"),
            "renewTime": now.isoformat(timespec="microseconds"),
        },
    }


def holder(lease: dict[str, Any]) -> Holder:
    """Reads a Lease. One without our annotation, or with one that is no time, never expires by itself."""
    written = str((lease["metadata"].get("annotations") or {}).get(naming.ANNOTATION_EXPIRES, NEVER))
    try:
        expires = written if utc(written).tzinfo else NEVER
    except ValueError:
        expires = NEVER
    return Holder(str((lease.get("spec") or {}).get("holderIdentity") or ""), expires)


def expired(held: Holder, now: datetime) -> bool:
    """Whether the lease holds nobody back any more."""
    return utc(held.expires_at) <= now


def must_be_free(lease: dict[str, Any] | None, drill_id: str, now: datetime) -> None:
    """Raises RefusedError when another drill holds a lease that has not expired."""
    if lease is None:
        return
    held = holder(lease)
    if not held.drill_id or held.drill_id == drill_id or expired(held, now):
        return
    if held.drill_id.startswith(INCIDENT):
        raise RefusedError(
            f"A real {held.drill_id} has the right of way in this environment until {held.expires_at}.",
            "Leave the platform to whoever recovers it. When it is over: `python -m dalp_dr stop ENVIRONMENT --incident-over`.",
        )
    raise RefusedError(
        f"Drill {held.drill_id} holds this environment until {held.expires_at}.",
        "Wait for it, or stop it; its sandbox must be gone before another drill starts.",
    )
