"""Git, drills and claims: green while they stand, red for each damage."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.model.plan import ConfigurationPoint, utc
from dalp_dr.posture import history
from posture_sample import ENVIRONMENT, NOW, RELEASE, changed, judged, red, said

POINT = ConfigurationPoint("a" * 40, "2026-10-01T12:00:00Z")
ROLES = tuple(n.role for n in ENVIRONMENT.source.namespaces)


def git(releases: Any = None, values: Any = None, point: ConfigurationPoint | None = POINT) -> history.ConfigurationHistory:
    releases = dict.fromkeys(ROLES, RELEASE) if releases is None else releases
    values = dict.fromkeys(ROLES, RELEASE["config"]) if values is None else values
    return history.configuration(ENVIRONMENT, point, releases, values)


def test_committed_values_are_green() -> None:
    assert red(judged("configuration_history", git())) == {}


GIT = {
    "no commit": (git(point=None, values={}), "repository_reachable", "fail", "no commit"),
    "installed by hand": (
        git({**dict.fromkeys(ROLES, RELEASE), "app": changed(RELEASE, "config.worker.replicas", 3)}),
        "values_committed",
        "fail",
        "dalp: worker differs from values/dalp.yaml",
    ),
    "upgrade failed": (
        git({**dict.fromkeys(ROLES, RELEASE), "app": changed(RELEASE, "info.status", "failed")}),
        "values_committed",
        "fail",
        "revision 3 is failed",
    ),
    "one release not read": (git({r: RELEASE for r in ROLES[1:]}), "values_committed", "inconclusive", "app: not compared"),
}


@pytest.mark.parametrize(("found", "check", "verdict", "words"), GIT.values(), ids=GIT)
def test_damage_to_the_configuration_is_red(found: history.ConfigurationHistory, check: str, verdict: str, words: str) -> None:
    results = judged("configuration_history", found)
    assert red(results)[check] == verdict
    assert words in said(results[check])


GOOD = history.HeldDrill("d-1", "2026-09-30T06:00:00Z", True, "READY")
CLAIM: dict[str, Any] = {"publishable": True, "claim": {"drill_id": "d-1", "expires_at": "2027-09-30T00:00:00Z"}, "withdrawn_because": []}


def drills(*held: history.HeldDrill, claim: Any = CLAIM, now: str = NOW) -> history.DrillHistory:
    return history.drills(ENVIRONMENT, held, claim, utc(now))


def test_a_ready_drill_of_this_quarter_with_a_claim_is_green() -> None:
    assert red(judged("drill_history", drills(GOOD))) == {}


def test_no_claim_earned_is_no_finding_and_says_so() -> None:
    results = judged("drill_history", drills(GOOD, claim={"publishable": False, "claim": None}))
    assert red(results) == {}
    assert "none may be published" in said(results["claim_stands"])


FIX = history.HeldDrill("d-2", "2026-10-01T06:00:00Z", True, "FIX")
PARTIAL = history.HeldDrill("d-3", "2026-10-02T06:00:00Z", False, "READY")
RUNNING = history.HeldDrill("d-4", "2026-10-02T06:00:00Z", True, None)
OLD = history.HeldDrill("d-5", "2026-05-01T06:00:00Z", True, "READY")
DRILLS = {
    "never drilled": (drills(), {"drill_on_schedule": "fail", "last_drill_ready": "fail"}),
    "surfaces alone": (drills(PARTIAL), {"drill_on_schedule": "fail", "last_drill_ready": "fail"}),
    "missed slot": (drills(OLD), {"drill_on_schedule": "fail"}),
    "fix": (drills(GOOD, FIX), {"last_drill_ready": "fail"}),
    "refused": (drills(GOOD, history.HeldDrill("d-6", "2026-10-01T06:00:00Z", True, "refused")), {"last_drill_ready": "fail"}),
    "under way": (drills(GOOD, RUNNING), {}),
    "withdrawn": (
        drills(GOOD, claim={**CLAIM, "publishable": False, "withdrawn_because": ["targets changed"]}),
        {"claim_stands": "fail"},
    ),
    "expired": (
        drills(GOOD, claim={**CLAIM, "claim": {"drill_id": "d-1", "expires_at": "2026-10-01T00:00:00Z"}}),
        {"claim_stands": "fail"},
    ),
    "runs out": (
        drills(GOOD, claim={**CLAIM, "claim": {"drill_id": "d-1", "expires_at": "2026-10-20T00:00:00Z"}}),
        {"claim_stands": "inconclusive"},
    ),
    "never computed": (drills(GOOD, claim=None), {"claim_stands": "inconclusive"}),
}


@pytest.mark.parametrize(("found", "wanted"), DRILLS.values(), ids=DRILLS)
def test_drills_and_claims(found: history.DrillHistory, wanted: dict[str, str]) -> None:
    assert red(judged("drill_history", found)) == wanted


def test_a_slot_three_days_ago_is_not_missed_yet() -> None:
    before = history.HeldDrill("d-1", "2026-07-07T06:00:00Z", True, "READY")
    assert red(judged("drill_history", drills(before))) == {}
