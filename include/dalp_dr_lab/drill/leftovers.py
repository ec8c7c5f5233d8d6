"""What earlier drills left in the lab: sandboxes kept for on-call and leases of drills that are over.

Production keeps them until they expire. The lab is small and its next drill starts when the last one was looked at, so
the runner removes them then, as an administrator would, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from dalp_dr.naming import ANNOTATION_EXPIRES, LABEL_DRILL, LABEL_OWNED, OWNER, drill_id
from dalp_dr_lab.drill.rest import DagRun
from dalp_dr_lab.lab import Lab

_KINDS = ("leases.coordination.k8s.io", "restores.velero.io", "configmaps", "namespaces")  # in the order of removal
_WAIT_SECONDS = 240


def over(items: Iterable[Mapping[str, Any]], runs: Iterable[DagRun], now: datetime) -> set[str]:
    """Drills with objects among `items` whose run has ended, or which nobody knows and which hold no valid lease."""
    ended = {drill_id(run.dag_id, run.run_id, run.run_after): run.ended for run in runs}
    holding = {_drill(item) for item in items if item["kind"] == "Lease" and _valid(item, now)}
    return {drill for drill in map(_drill, items) if drill and ended.get(drill, drill not in holding)}


def remove(lab: Lab, runs: Iterable[DagRun], now: datetime) -> tuple[str, ...]:
    """Remove what drills that are over have left; returns the names of the drills."""
    items = [item for kind in _KINDS for item in _items(lab, kind)]
    done = over(items, runs, now)
    for item in items:
        if _drill(item) in done:
            metadata = item["metadata"]
            place = ("-n", metadata["namespace"]) if "namespace" in metadata else ()
            words = (item["kind"], metadata["name"], *place, "--ignore-not-found", f"--timeout={_WAIT_SECONDS}s")
            lab.kubectl("delete", *words)
    return tuple(sorted(done))


def _drill(item: Mapping[str, Any]) -> str:
    return str(item["metadata"].get("labels", {}).get(LABEL_DRILL, ""))


def _valid(lease: Mapping[str, Any], now: datetime) -> bool:
    until = lease["metadata"].get("annotations", {}).get(ANNOTATION_EXPIRES)
    return until is not None and datetime.fromisoformat(until) > now


def _items(lab: Lab, kind: str) -> list[dict[str, Any]]:
    found = json.loads(lab.kubectl("get", kind, "-A", "-l", f"{LABEL_OWNED}={OWNER}", "-o", "json"))
    items: list[dict[str, Any]] = found["items"]
    return items
