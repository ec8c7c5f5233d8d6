"""When a component counts as healthy: by the API server's report, and only by a heartbeat of this start."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dalp_dr_lab.airflow import components

STARTED = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def report(status: str, beat: str | None) -> dict[str, Any]:
    return {"metadatabase": {"status": "healthy"}, "scheduler": {"status": status, "latest_scheduler_heartbeat": beat}}


@pytest.mark.parametrize(
    ("case", "found", "part", "expected"),
    [
        ("beats since its start", report("healthy", "2026-11-24T15:00:07Z"), "scheduler", True),
        ("last beat is its predecessor's", report("healthy", "2026-11-24T14:59:58Z"), "scheduler", False),
        ("never beat", report("healthy", None), "scheduler", False),
        ("unhealthy", report("unhealthy", "2026-11-24T15:00:07Z"), "scheduler", False),
        ("the database has no heartbeat", report("healthy", None), "metadatabase", True),
        ("not in the report", report("healthy", None), "triggerer", False),
        ("no answer", {}, "metadatabase", False),
    ],
)
def test_health(case: str, found: dict[str, Any], part: str, expected: bool) -> None:
    assert components.healthy(found, part, STARTED) is expected, case


def test_commands_run_by_this_interpreter() -> None:
    assert components.command("airflow-dag-processor")[1:] == ["-m", "airflow", "dag-processor"]
