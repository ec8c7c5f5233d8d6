"""Which drills' leftovers the runner may remove."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dalp_dr.naming import ANNOTATION_EXPIRES, LABEL_DRILL, drill_id
from dalp_dr_lab.drill import leftovers
from dalp_dr_lab.drill.rest import DagRun

NOW = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
ENDED = DagRun("quarterly_drill", "manual__1", "failed", NOW - timedelta(hours=1))
RUNNING = DagRun("quarterly_drill", "manual__2", "running", NOW)
UNKNOWN = "d-20261124-00000000"


def name(run: DagRun) -> str:
    return drill_id(run.dag_id, run.run_id, run.run_after)


def item(kind: str, drill: str, expires_at: datetime | None = None) -> dict[str, Any]:
    annotations = {ANNOTATION_EXPIRES: expires_at.isoformat()} if expires_at else {}
    return {"kind": kind, "metadata": {"name": drill, "labels": {LABEL_DRILL: drill}, "annotations": annotations}}


LATER, BEFORE = NOW + timedelta(hours=1), NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("case", "items", "expected"),
    [
        ("its run has ended", [item("Namespace", name(ENDED))], {name(ENDED)}),
        ("its run has ended and left the lease", [item("Lease", name(ENDED), LATER)], {name(ENDED)}),
        ("its run goes on", [item("Namespace", name(RUNNING)), item("Lease", name(RUNNING), BEFORE)], set()),
        ("nobody knows it, its lease holds", [item("Namespace", UNKNOWN), item("Lease", UNKNOWN, LATER)], set()),
        (
            "nobody knows it, its lease has expired",
            [item("Namespace", UNKNOWN), item("Lease", UNKNOWN, BEFORE)],
            {UNKNOWN},
        ),
        ("nobody knows it, it has no lease", [item("Namespace", UNKNOWN)], {UNKNOWN}),
        ("of no drill", [{"kind": "ConfigMap", "metadata": {"name": "x"}}], set()),
    ],
)
def test_over(case: str, items: list[dict[str, Any]], expected: set[str]) -> None:
    assert leftovers.over(items, [ENDED, RUNNING], NOW) == expected, case
