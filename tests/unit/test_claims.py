"""Which RTO and RPO may be published: earned by a full drill with a route switch, lost by any change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dalp_dr import claims
from dalp_dr.decide import Decision
from dalp_dr.evidence.problem import Problem
from dalp_dr.evidence.verify import Verification, verify
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import Record, RecordKind
from synthetic_drill import (
    CATALOGUE,
    PUBLIC,
    CountFacts,
    a_plan,
    a_record,
    an_answer,
    decided,
    good_records,
    sealed,
    with_record,
)


@dataclass(frozen=True)
class SwitchFacts:
    procedure_sha256: str


KINDS = {**CATALOGUE["kinds"], "route_switch": RecordKind("route_switch", SwitchFacts, "measure", lambda plan: ())}
WITH_SWITCH = {**CATALOGUE, "kinds": KINDS}
NOW = datetime(2026, 11, 1, tzinfo=UTC)
ANNUAL = a_plan("annual", route_switch=True)
ENVIRONMENT = ANNUAL.environment


def drill(plan: DrillPlan = ANNUAL, switch: bool = True, broken: Record | None = None, **answer: Any) -> Verification:
    found = good_records(plan)
    if broken is not None:
        found = with_record(found, broken)
    if switch:
        found = (*found, a_record(plan, "route_switch", facts=SwitchFacts("ab" * 32)))
    bundle = sealed(plan, found)
    return verify(decided(bundle, an_answer(bundle, **answer)), [PUBLIC], **WITH_SWITCH)


def later(run_id: str) -> DrillPlan:
    plan = a_plan(run_id, route_switch=True)
    return replace(plan, asked_at="2026-10-06T06:00:05Z")


GREEN = drill()


def test_a_full_drill_with_a_route_switch_earns_a_claim() -> None:
    standing = claims.standing([GREEN], NOW, ENVIRONMENT)
    assert standing.publishable and standing.claim is not None
    assert standing.claim.bundle_sha256 == GREEN.bundle_sha256
    assert standing.claim.expires_at == "2027-10-07T06:20:00Z"
    assert {"backup_location", "database_restore_path", "object_storage", "route_switch_procedure"} <= set(standing.claim.fingerprints)


NOT_EARNED = {
    "no drill": ([], "no drill is on record"),
    "no route switch": ([drill(switch=False)], "no route switch"),
    "a switch that was not planned": ([drill(a_plan("unplanned"))], "no route switch"),
    "played by the lab": ([drill(played_by_lab=True)], "played by the lab"),
    "rejected": ([drill(approved=False)], "not READY"),
    "a failed check": ([drill(broken=a_record(ANNUAL, "telemetry", facts=CountFacts(3, 2)))], "not READY"),
    "not intact": ([verify(decided(sealed(ANNUAL)), [], **WITH_SWITCH)], "not intact"),
}


@pytest.mark.parametrize(("history", "why"), NOT_EARNED.values(), ids=NOT_EARNED.keys())
def test_earns_none(history: list[Verification], why: str) -> None:
    standing = claims.standing(history, NOW, ENVIRONMENT)
    assert standing.claim is None and not standing.publishable
    assert any(why in reason for reason in standing.not_earned_because)


CHANGES = {
    "backup location": {"source": ENVIRONMENT.source.model_copy(update={"backup_bucket": "elsewhere"})},
    "database restore path": {"database": ENVIRONMENT.database.model_copy(update={"server_name": "other"})},
    "object storage": {"object_storage": ENVIRONMENT.object_storage[:0]},
    "staffing": {"accountable_team": "somebody else"},
    "infrastructure": {"cluster": "separate"},
    "route switch procedure": {"route_switch": None},
    "targets": {"targets": ENVIRONMENT.targets.model_copy(update={"rto_seconds": 1})},
}


@pytest.mark.parametrize(("what", "change"), CHANGES.items(), ids=CHANGES.keys())
def test_any_change_withdraws_it_and_is_named(what: str, change: dict[str, Any]) -> None:
    standing = claims.standing([GREEN], NOW, ENVIRONMENT.model_copy(update=change))
    assert standing.claim is not None and not standing.publishable
    assert any(reason.startswith(what) for reason in standing.withdrawn_because)


def test_another_version_withdraws_it() -> None:
    assert not claims.standing([GREEN], NOW, ENVIRONMENT, "c" * 40).publishable


def test_it_expires() -> None:
    assert not claims.standing([GREEN], datetime(2027, 10, 8, tzinfo=UTC), ENVIRONMENT).publishable


def test_a_later_failed_drill_withdraws_it_and_a_quarterly_pass_does_not_extend_it() -> None:
    plan = later("quarterly")
    failed = drill(plan, switch=False, broken=a_record(plan, "telemetry", facts=CountFacts(3, 2)))
    assert not claims.standing([failed, GREEN], NOW, ENVIRONMENT).publishable  # in whatever order they are given
    passed = drill(plan, switch=False)
    standing = claims.standing([GREEN, passed], NOW, ENVIRONMENT)
    assert standing.publishable and standing.claim is not None and standing.claim.drill_id == ANNUAL.drill_id


def test_reasons_stay_open_until_that_very_check_passes() -> None:
    first, second = a_plan("first", route_switch=True), later("second")
    failed = drill(first, broken=a_record(first, "telemetry", facts=CountFacts(3, 2)))
    again = drill(second, broken=a_record(second, "reconciliation", facts=CountFacts(3, 2)))
    assert [(r.check, r.since_drill) for r in claims.standing([failed], NOW).open_reasons] == [("telemetry_queryable", first.drill_id)]
    assert [(r.check, r.since_drill) for r in claims.standing([failed, again], NOW).open_reasons] == [
        ("reconciliation_complete", second.drill_id)
    ]


def test_a_drill_that_passed_and_waits_for_its_owner_withdraws_nothing() -> None:
    waiting = verify(sealed(later("waiting"), good_records(later("waiting"))), [PUBLIC], **WITH_SWITCH)
    assert waiting.decision is Decision.FIX and not waiting.decided
    assert claims.standing([GREEN, waiting], NOW, ENVIRONMENT).publishable


def test_evidence_that_is_not_intact_closes_nothing() -> None:
    failed = drill(later("first"), broken=a_record(later("first"), "telemetry", facts=CountFacts(3, 2)))
    forged = replace(drill(later("second")), problems=(Problem("manifest.json", "flipped"),))
    assert [r.check for r in claims.standing([failed, forged], NOW).open_reasons] == ["telemetry_queryable"]


def test_what_could_not_be_compared_is_said() -> None:
    assert claims.standing([GREEN], NOW, ENVIRONMENT, "c").unknown == ()
    assert len(claims.standing([GREEN], NOW).unknown) == 2


def test_the_difference_to_the_time_before_is_told() -> None:
    good = claims.document(claims.standing([GREEN], NOW, ENVIRONMENT))
    gone = claims.document(claims.standing([GREEN], NOW, ENVIRONMENT.model_copy(update={"cluster": "separate"})))
    none = claims.document(claims.standing([drill(a_plan("x"), switch=False)], NOW, ENVIRONMENT))
    assert claims.changes(None, good) == ("computed for the first time",)
    assert claims.changes(good, good) == ()
    assert claims.changes(good, gone)[0] == "may not be published any more"
    assert any("infrastructure changed" in line for line in claims.changes(good, gone))
    assert any(f"it was of {ANNUAL.drill_id}" in line for line in claims.changes(good, none))
