"""What the runner looks at before it touches the lab."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from dalp_dr_lab.drill import preparation
from dalp_dr_lab.drill.rest import ApiError, DagRun
from dalp_dr_lab.errors import LabError

SINCE = datetime(2026, 11, 24, 16, tzinfo=UTC)
FRESH, OLD = SINCE + timedelta(minutes=5), SINCE - timedelta(minutes=5)


def run(state: str, asked: datetime = FRESH) -> DagRun:
    return DagRun("quarterly_drill", "manual__1", state, asked)


@pytest.mark.parametrize(
    ("case", "active", "runs", "faults", "refusal"),
    [
        ("nothing there", [], [], ["wal-gap"], None),
        ("an ended drill", [], [run("failed")], ["wal-gap"], None),
        ("a drill of a lab that is gone", [], [run("running", OLD)], ["wal-gap"], None),
        ("a drill under way", [], [run("running")], [], "has not ended"),
        ("broken by others", ["one-wei"], [], ["wal-gap"], "broken already"),
        ("broken by hand for a drill that breaks nothing itself", ["one-wei"], [], [], None),
        ("no Airflow", [], ApiError("no answer", 0), ["wal-gap"], None),
        ("an Airflow that cannot say", [], ApiError("broken", 500), [], "broken"),
    ],
)
def test_a_lab_in_use_is_left_alone(
    case: str, active: list[str], runs: Any, faults: list[str], refusal: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(dag_id: str) -> list[DagRun]:
        if isinstance(runs, Exception):
            raise runs
        return [one for one in runs if one.dag_id == dag_id]

    monkeypatch.setattr(preparation.record, "read", lambda lab: [SimpleNamespace(name=name) for name in active])
    monkeypatch.setattr(preparation, "lab_since", lambda lab: SINCE)
    api: Any = SimpleNamespace(url="http://airflow", runs=listed)
    lab: Any = None
    if refusal is None:
        preparation.must_be_free(lab, api, faults)
        return
    with pytest.raises(LabError, match=refusal):
        preparation.must_be_free(lab, api, faults)
