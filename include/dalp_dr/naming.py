"""Names of everything a drill creates: functions of the drill, never random, so that a rerun finds what exists."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

LABEL_DRILL = "dalp-dr/drill-id"
LABEL_ENVIRONMENT = "dalp-dr/environment"
LABEL_OWNED = "dalp-dr/owned-by"
LABEL_TOKEN = "dalp-dr/token"  # follows from the plan, so that copied labels are no proof of ownership
ANNOTATION_EXPIRES = "dalp-dr/expires-at"
ANNOTATION_REPLICAS = "dalp-dr/replicas"
OWNER = "dalp-recovery-drill"
HOLD = "drill-hold"  # init container that holds every restored pod


def drill_id(dag_id: str, run_id: str, asked_at: datetime) -> str:
    """`d-<yyyymmdd>-<8 hex>`: the UTC day the drill was asked for and a digest of DAG id and run id."""
    return f"d-{asked_at.astimezone(UTC):%Y%m%d}-{digest_of_run(dag_id, run_id)}"


def digest_of_run(dag_id: str, run_id: str) -> str:
    """The end of a drill's id: what of it follows from the run alone."""
    return hashlib.sha256(f"{dag_id}/{run_id}".encode()).hexdigest()[:8]


def sandbox_namespace(prefix: str, drill: str, role: str) -> str:
    """The sandbox namespace of one source namespace, e.g. `dalp-drill-1a2b3c4d-app`."""
    return f"{prefix}{drill.rsplit('-', 1)[-1]}-{role}"


def restore_name(drill: str, role: str, attempt: int = 1) -> str:
    """Name of a Velero Restore; 40 characters at most, since Velero appends to it."""
    return f"drill-{drill.rsplit('-', 1)[-1]}-{role}-{attempt}"[:40]


def labels(drill: str, environment: str) -> dict[str, str]:
    """Ownership labels on every object the drill creates."""
    return {LABEL_DRILL: drill, LABEL_ENVIRONMENT: environment, LABEL_OWNED: OWNER}


def runbook_page(pointer: str) -> str:
    """`timing.md#rto` as a check names it, as the address of its page: `timing.html#rto`."""
    return re.sub(r"\.md(?=$|#)", ".html", pointer)
