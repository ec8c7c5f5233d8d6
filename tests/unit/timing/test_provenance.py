"""A target that nobody approved before the run is no target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dalp_dr.timing.provenance import ProvenanceFacts
from velero_sample import PLAN, judged, red

GOOD = ProvenanceFacts("a" * 40, False, {"dalp_dr": "1.0.0"}, "sam", "quarterly", "lab-1", "owner", "2026-10-05", "b" * 64)


@pytest.mark.parametrize("day", ["2026-10-05", "2026-10-06", "2025-01-01"])
def test_approved_on_the_day_or_before(day: str) -> None:
    assert red(judged("provenance", replace(GOOD, targets_approved_on=day))) == {}


CASES = {
    "approved after the run": replace(GOOD, targets_approved_on="2026-10-07"),
    "approved never": replace(GOOD, targets_approved_on=""),
    "approved by nobody": replace(GOOD, targets_approved_by=""),
    "no day, though it sorts before": replace(GOOD, targets_approved_on="01.02.2027"),
    "no such day": replace(GOOD, targets_approved_on="2026-09-31"),
}


@pytest.mark.parametrize("case", CASES)
def test_red(case: str) -> None:
    assert red(judged("provenance", CASES[case])) == {"targets_precede_run": "fail"}


def test_the_day_is_the_day_in_utc() -> None:
    late = replace(PLAN, asked_at="2026-10-05T23:30:00-02:00")
    assert red(judged("provenance", replace(GOOD, targets_approved_on="2026-10-06"), late)) == {}
