"""The closing table out of a summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dalp_dr_lab.drill import closing
from dalp_dr_lab.errors import LabError

SUMMARY: dict[str, Any] = {
    "drill_id": "d-20261124-1a2b3c4d",
    "dag_id": "quarterly_drill",
    "run_id": "manual__2026-11-24T15:16:21+00:00",
    "decision": "FIX",
    "verdict": "fail",
    "reasons": [
        {
            "check": "volumes_hold_data",
            "surface": "kubernetes_resources",
            "subject": "app",
            "verdict": "fail",
            "expected": "every volume holds its bytes",
            "observed": "dalp-worker-journal is empty",
            "next_step": "Include the pods in the backup.",
            "runbook": "kubernetes_resources.md#empty-volumes",
        }
    ],
    "rto_seconds": 192.4,
    "rtt_seconds": 1300,
    "rpo_by_surface": {"database": 7.2, "object_storage": None},
    "phases": [{"name": "restore", "started_at": "2026-11-24T15:17:00Z", "seconds": 72.0}],
    "bundle_sha256": "ab" * 32,
    "outcome": "normal",
    "targets": {"rto_seconds": 900, "rtt_seconds": 1200, "rpo_seconds": {"database": 300, "object_storage": 300}},
}


@pytest.fixture
def places(tmp_path: Path) -> closing.Places:
    return closing.Places(tmp_path, "http://127.0.0.1:1", ["starter", "owner"], Path("users.json"), {"lab": 61.0})


@pytest.mark.parametrize(
    "line",
    [
        "Decision   FIX   (verdict fail)",
        "RTO                             3:12     15:00  met",
        "RTT                            21:40     20:00  MISSED",
        "RPO database                    0:07      5:00  met",
        "RPO object_storage           unknown      5:00  not proven",
        "Phases     restore 1:12",
        "  1. volumes_hold_data (kubernetes_resources, app): fail",
        "     observed: dalp-worker-journal is empty",
        "     next: Include the pods in the backup. (include/runbooks/kubernetes_resources.md#empty-volumes)",
        "Airflow    http://127.0.0.1:1   users starter, owner; passwords in users.json",
        "Stop       make down",
        "Took       lab 1:01",
    ],
)
def test_the_table_has(line: str, places: closing.Places) -> None:
    assert line in closing.table(SUMMARY, places)


def test_only_what_exists_is_named(places: closing.Places) -> None:
    (places.drill / "report.pdf").touch()
    said = "\n".join(closing.where(places))
    assert "report.pdf" in said
    assert "report.html" not in said


def test_a_refused_drill_says_so(places: closing.Places) -> None:
    refused = {**SUMMARY, "outcome": "refused", "targets": None, "rto_seconds": None, "rpo_by_surface": None}
    said = closing.table(refused, places)
    assert "Decision   FIX   (verdict fail, refused)" in said
    assert not any(line.startswith(("RTO", "RPO")) for line in said)


def test_an_empty_summary_shows_unknowns_not_successes(places: closing.Places) -> None:
    said = closing.table({"targets": SUMMARY["targets"]}, places)
    assert "Decision   none   (verdict none)" in said
    assert "RTO                          unknown     15:00  not proven" in said


def test_a_run_without_summary_has_no_decision() -> None:
    assert "Failed tasks: plan.freeze" in "\n".join(closing.without_summary("failed", ["plan.freeze"]))


def test_a_damaged_summary_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(LabError, match=r"summary\.json cannot be read"):
        closing.summary(tmp_path)


def test_no_summary_is_none(tmp_path: Path) -> None:
    assert closing.summary(tmp_path) is None


def test_one_cause_of_many_reasons_is_told_once(places: closing.Places) -> None:
    one = SUMMARY["reasons"][0]
    same = [{**one, "check": check, "subject": subject} for check in ("a", "b") for subject in ("app", "support")]
    other = {**one, "observed": "something else", "subject": "drill"}
    said = closing.table({**SUMMARY, "reasons": [*same, other]}, places)
    assert "Reasons    2" in said
    assert "  1. a, b (kubernetes_resources, app, support): fail" in said
    assert "  2. volumes_hold_data (kubernetes_resources): fail" in said


def test_checks_that_were_never_reached_stand_in_one_line(places: closing.Places) -> None:
    one = SUMMARY["reasons"][0]
    missed = [{**one, "check": check, "subject": "app", "observed": "not run", "ran": False} for check in ("a", "b", "b")]
    said = closing.table({**SUMMARY, "reasons": [{**one, "ran": True}, *missed]}, places)
    assert "Reasons    1" in said
    assert "  2 more checks were never reached: a, b" in said
