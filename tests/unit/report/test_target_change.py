"""A target is proposed anew where a drill missed it, or where it says nothing; what was not measured is left alone."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from dalp_dr.report import target_change

TARGETS: dict[str, Any] = {"rto_seconds": 900, "rtt_seconds": 1200, "rpo_seconds": {"database": 300, "configuration": 300}}


def a_summary(rto: float | None = 200.0, rtt: float | None = 300.0, database: float | None = 20.0, **targets: Any) -> dict[str, Any]:
    return {
        "drill_id": "d-1",
        "environment": "lab",
        "bundle_sha256": "ab",
        "rto_seconds": rto,
        "rtt_seconds": rtt,
        "rpo_by_surface": {"database": database},
        "targets": TARGETS | targets,
    }


CASES: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "every target holds": (a_summary(), {}),
    "met exactly": (a_summary(rto=900.0), {}),
    "an impossible target": (a_summary(rto_seconds=60), {"rto_seconds": 300}),
    "far too loose": (a_summary(rtt_seconds=86400), {"rtt_seconds": 900}),
    "loose, and already at the least": (a_summary(rto=5.0, rto_seconds=300), {}),
    "a missed RPO": (a_summary(database=400.0), {"rpo_seconds.database": 540}),
    "a small loss tightens nothing": (a_summary(database=0.0), {}),
    "nothing was measured": (a_summary(None, None, None, rto_seconds=1), {}),
    "no surface was measured": (a_summary() | {"rpo_by_surface": None}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_proposed(case: str) -> None:
    summary, proposed = CASES[case]
    assert {c.name: c.proposed for c in target_change.changes(summary)} == proposed
    assert (target_change.page(summary) is None) == (not proposed)


def test_the_page_is_the_targets_of_an_environment_file_and_says_why() -> None:
    page = target_change.page(a_summary(rto_seconds=60))
    assert page is not None and page.path == "recovery-targets/lab.yaml"
    assert yaml.safe_load(page.text) == {"targets": TARGETS | {"rto_seconds": 300}}
    assert "rto_seconds: 60 s was missed (200 s); proposed 300 s" in page.text


def test_a_name_cannot_break_the_page() -> None:
    page = target_change.page(a_summary(rto_seconds=60) | {"drill_id": "d-1\ntargets: {}"})
    assert page is not None and list(yaml.safe_load(page.text)) == ["targets"]
    assert yaml.safe_load(page.text)["targets"]["rtt_seconds"] == 1200
