"""What `python -m dalp_dr_lab posture` prints."""

from __future__ import annotations

from dalp_dr_lab.drill.posture import table

ROW = {
    "check": "wal_lag",
    "subject": "dalp-pg",
    "verdict": "pass",
    "accepted": None,
    "observed": "3 s ago",
    "expected": "900 s",
    "findings": [],
}


def test_findings_stand_below_their_question_and_deviations_are_marked() -> None:
    rows = [
        ROW,
        {**ROW, "check": "a", "verdict": "fail", "findings": ["this is wrong"]},
        {**ROW, "check": "b", "verdict": "fail", "accepted": "declared", "findings": []},
        {**ROW, "check": "c", "verdict": "inconclusive"},
    ]
    lines = table({"environment": "lab", "verdict": "fail", "rows": rows})
    assert [line.split()[0] for line in lines[:1]] == ["pass"]
    assert lines[1].split()[0] == "fail" and "this is wrong" in lines[2]
    assert lines[3].split()[0] == "accepted" and "900 s" in lines[4]
    assert lines[5].split()[0] == "inconclusive"
    assert "claims nothing" in lines[-1]
