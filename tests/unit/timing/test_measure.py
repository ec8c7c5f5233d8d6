"""The clock starts once, ends where clients could be routed back, and what was not measured is never a met target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalp_dr import catalogue
from dalp_dr.chain.holdings import HoldingDifference
from dalp_dr.chain.reconciliation import Difference, Reconciliation, TokenComparison
from dalp_dr.configuration.rebuild import Configuration, Rebuilt
from dalp_dr.model.check import Surface
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import Record, encode
from dalp_dr.services.health import ApplicationHealth, Poll
from dalp_dr.timing import measure
from dalp_dr.timing.measure import TimingFacts
from velero_sample import PLAN, judged, red, said

HASH = "0x" + "a" * 64
TOKEN = TokenComparison("0xt", "T", "7", {"primary": "7", "secondary": "7"}, "7", 1, 1, 1, "7", 1, "7", ())
RECONCILED = Reconciliation(15, HASH, {"primary": HASH, "secondary": HASH}, "primary", "s", (TOKEN,), (), (), (), 1, (), None)
IN_GIT = Configuration(
    "a" * 40, tuple(Rebuilt(role, role, 1, "deployed", role, "1", "1", "v", "v", (), ("Service/x",), (), ()) for role in PLAN.roles)
)
DRIFTED = replace(IN_GIT, namespaces=(replace(IN_GIT.namespaces[0], git_chart_version="2"), *IN_GIT.namespaces[1:]))
BEHIND = replace(RECONCILED, holding_differences=(HoldingDifference("0xh", "0xt", "7", "8", "0", ()),))
DIFFERS = replace(RECONCILED, differences=(Difference("0xt", "0xh", "7", "8"),))


def at(minute: int, second: int = 0) -> str:
    """That long after the drill was asked for."""
    return f"2026-10-06T{6 + minute // 60:02d}:{minute % 60:02d}:{second:02d}+00:00"


def health(minute: int, status: int = 200, skip: str = "") -> dict[str, Any]:
    """Every service answers three times from that minute on; one of them starts to answer a minute later."""
    polls = [
        Poll(s.name, at(minute + (i == 0), n), status) for i, s in enumerate(PLAN.environment.services) for n in range(3) if s.name != skip
    ]
    return encode(ApplicationHealth(tuple(polls), (), (), "1"))


def restore_run(started: str, ended: str, phase: str = "Completed") -> dict[str, Any]:
    return {"phase": phase, "started_at": started, "completed_at": ended}


def a_record(
    kind: str, facts: dict[str, Any] | None, task: str, recorded: str, subject: str = "drill", attempt: int = 1, began: str | None = None
) -> Record:
    return Record(kind, subject, PLAN.drill_id, task, attempt, recorded, facts, None if facts else "no answer", began or recorded)


def good() -> list[Record]:
    """A drill that was healthy after 6 minutes, reconciled after 8 and had verified everything after 9."""
    recovery = {"created_at": at(1), "healthy_at": at(2)}
    found = [
        a_record("provenance", {"commit": "a"}, "plan.freeze", at(0, 5), began=at(0, 1)),
        a_record("database_recovery", recovery, "restore.database", at(2, 5), began=at(1)),
        a_record(
            "database_recovery_point",
            {"newest_commit": "2026-10-06T05:59:30Z", "heartbeat_at": "2026-10-06T05:59:00Z"},
            "verify.database",
            at(3),
        ),
        a_record("application_health", health(5), "start.health", at(7), began=at(4)),
        a_record("reconciliation", encode(RECONCILED), "verify.balances", at(3, 30)),
        a_record("catch_up", encode(RECONCILED), "reconcile.catch_up", at(8)),
        a_record("user_journey", {"steps": 4}, "reconcile.journey", at(9)),
        a_record("object_versions", {"at": PLAN.objects.at}, "verify.objects", at(3), "dalp-documents"),
        a_record("configuration", encode(IN_GIT), "preflight.configuration", at(0, 30)),
        a_record("in_flight", {"operations_lost": 1, "operations_doubtful": 2, "value_lost": "7" * 30}, "reconcile.in_flight", at(7, 50)),
    ]
    return found + [a_record("restore_run", restore_run(at(1), at(2)), "restore.velero", at(2, 5), role) for role in PLAN.roles]


def measured(records: Iterable[Record], plan: DrillPlan = PLAN) -> TimingFacts:
    return measure.measure(plan, records)


def without(*kinds: str, subject: str | None = None) -> list[Record]:
    return [r for r in good() if r.kind not in kinds or (subject is not None and r.subject != subject)]


def changed(kind: str, facts: dict[str, Any] | None, subject: str | None = None, **more: Any) -> list[Record]:
    return [replace(r, facts=facts, **more) if r.kind == kind and subject in (None, r.subject) else r for r in good()]


GOOD = measured(good())


def test_a_good_drill_passes_everything() -> None:
    assert red(judged("timing", GOOD)) == {}


def test_its_figures() -> None:
    assert (GOOD.database_recovered_seconds, GOOD.services_healthy_seconds) == (120, 360), "earlier marks, never the RTO"
    assert (GOOD.rto_seconds, GOOD.rtt_seconds) == (480, 540)
    assert GOOD.rpo_by_surface == {
        "database": 30,
        "kubernetes_resources": 14399,
        "observability": 14399,
        "object_storage": 0,
        "configuration": 0,
    }
    assert (GOOD.rpo_seconds, GOOD.recovery_point_skew_seconds) == (14399, 14399)
    assert GOOD.business_rpo == measure.BusinessRpo(1, 2, "7" * 30), "beyond what a number of a file holds"
    assert GOOD.wal_segments_replayed == 12


RTO = {
    "reconciled last": (good(), 480),
    "healthy last": (changed("application_health", health(20)), 1260),
    "services never healthy": (changed("application_health", health(5, status=503)), None),
    "one service never answered": (changed("application_health", health(5, skip="dalp-worker")), None),
    "health was never asked": (without("application_health"), None),
    "health could not be asked": (changed("application_health", None), None),
    "never reconciled": (without("reconciliation"), None),
    "reconciled at rest alone": (without("catch_up"), None),
    "the index went wrong when it went on": (changed("catch_up", encode(DIFFERS)), None),
    "operations after the recovery point that the records cannot know": (changed("catch_up", encode(BEHIND)), 480),
    "records behind the index at rest": (changed("reconciliation", encode(BEHIND)), None),
    "reconciliation could not be done": (changed("reconciliation", None), None),
    "records differ from the chain": (changed("reconciliation", encode(DIFFERS)), None),
    "nothing was compared": (changed("reconciliation", encode(replace(RECONCILED, holdings_compared=0))), None),
}


@pytest.mark.parametrize("case", RTO)
def test_rto_is_the_later_of_healthy_and_reconciled_or_not_measured(case: str) -> None:
    records, seconds = RTO[case]
    facts = measured(records)
    assert facts.rto_seconds == seconds
    if seconds is None:
        assert red(judged("timing", facts)).items() >= {"rto_met": "inconclusive", "rtt_met": "inconclusive"}.items()


def test_a_rerun_moves_the_end_and_never_the_start() -> None:
    later = a_record("catch_up", encode(RECONCILED), "reconcile.catch_up", at(30), attempt=2)
    again = measured([*good(), later])
    assert (again.asked_at, again.rto_seconds) == (GOOD.asked_at, 1800)


def test_the_newest_attempt_counts_even_where_an_older_one_was_better() -> None:
    worse = a_record("reconciliation", encode(DIFFERS), "verify.balances", at(30), attempt=2)
    assert measured([worse, *good()]).rto_seconds is None
    unanswered = a_record("application_health", None, "start.health", at(30), attempt=2)
    assert measured([unanswered, *good()]).rto_seconds is None


@given(st.permutations(good()))
def test_the_order_of_records_does_not_matter(records: list[Record]) -> None:
    facts = measured(records)
    assert (facts.rto_seconds, facts.rtt_seconds, facts.rpo_by_surface) == (GOOD.rto_seconds, GOOD.rtt_seconds, GOOD.rpo_by_surface)
    assert set(facts.marks) == set(GOOD.marks) and facts.phases == GOOD.phases


RPO = {
    "the newest commit": (good(), "database", 30),
    "the heartbeat where no commit time is known": (
        changed("database_recovery_point", {"newest_commit": None, "heartbeat_at": "2026-10-06T05:59:00Z"}),
        "database",
        60,
    ),
    "neither": (changed("database_recovery_point", {"newest_commit": None, "heartbeat_at": None}), "database", None),
    "the database was not looked at": (without("database_recovery_point"), "database", None),
    "a namespace was not restored": (without("restore_run", subject="support"), "kubernetes_resources", None),
    "a namespace was restored in part": (
        changed("restore_run", restore_run(at(1), at(2), "PartiallyFailed"), "support"),
        "kubernetes_resources",
        None,
    ),
    "observability was not restored": (without("restore_run", subject="observability"), "observability", None),
    "another namespace is no matter of observability": (without("restore_run", subject="support"), "observability", 14399),
    "objects were not read": (without("object_versions"), "object_storage", None),
    "objects were not read as of a time": (changed("object_versions", {"at": None}), "object_storage", None),
    "configuration was not read": (without("configuration"), "configuration", None),
    "what runs is not what Git has": (changed("configuration", encode(DRIFTED)), "configuration", None),
}


@pytest.mark.parametrize("case", RPO)
def test_rpo_of_each_surface(case: str) -> None:
    records, surface, seconds = RPO[case]
    facts = measured(records)
    assert facts.rpo_by_surface[surface] == seconds
    if seconds is None:
        assert facts.rpo_seconds is None, "unknown where one is unknown"
        results = judged("timing", facts)
        assert red(results).get("rpo_met") == "inconclusive"
        assert f"{surface}: its recovered point is not known" in results["rpo_met"].findings


@pytest.mark.parametrize(
    ("missing", "seconds"), [((), 0), (("Service/x",), None)], ids=["Git's objects came back", "one did not come back"]
)
def test_a_lost_production_shows_its_configuration_by_what_came_back(missing: tuple[str, ...], seconds: int | None) -> None:
    """It cannot show what was installed."""
    lost = tuple(
        replace(n, revision=0, status="", release_chart_version="", release_values_sha256="", missing=missing) for n in IN_GIT.namespaces
    )
    records = changed("configuration", encode(replace(IN_GIT, namespaces=lost)))
    facts = measure.measure(replace(PLAN, source_lost=True), records)
    assert facts.rpo_by_surface["configuration"] == seconds


def test_the_oldest_backup_of_the_surface_counts() -> None:
    older = [replace(b, started_at="2026-10-06T00:00:00Z") if b.role == "support" else b for b in PLAN.backups]
    assert measured(good(), replace(PLAN, backups=tuple(older))).rpo_by_surface["kubernetes_resources"] == 6 * 3600


def test_only_the_drills_surfaces_are_measured() -> None:
    alone = replace(PLAN, surfaces=(Surface.DATABASE,), full=False)
    assert list(measured(good(), alone).rpo_by_surface) == ["database"]


TARGETS = {
    "RTO missed": (replace(GOOD, rto_seconds=901.0), {"rto_met": "fail"}, "901 s"),
    "RTO not measured": (replace(GOOD, rto_seconds=None), {"rto_met": "inconclusive"}, "not measured"),
    "RTT missed": (replace(GOOD, rtt_seconds=1201.0), {"rtt_met": "fail"}, "1201 s"),
    "RTT not measured": (replace(GOOD, rtt_seconds=None), {"rtt_met": "inconclusive"}, "not measured"),
    "no surface was measured": (replace(GOOD, recovered_points=()), {"rpo_met": "inconclusive"}, "database: its recovered point"),
    "an impossible order": (replace(GOOD, orders_broken=("x is after y",)), {"times_in_order": "fail"}, "x is after y"),
}


@pytest.mark.parametrize("case", TARGETS)
def test_targets(case: str) -> None:
    facts, expected, words = TARGETS[case]
    results = judged("timing", facts)
    assert red(results) == expected
    assert words in said(results[next(iter(expected))])


@pytest.mark.parametrize(("surface", "target"), PLAN.environment.targets.rpo_seconds.items())
def test_rpo_is_missed_where_one_surface_misses_its_own_target(surface: str, target: int) -> None:
    def with_rpo(seconds: float) -> TimingFacts:
        points = tuple(replace(p, rpo_seconds=seconds) if p.surface == surface else p for p in GOOD.recovered_points)
        return replace(GOOD, recovered_points=points)

    assert red(judged("timing", with_rpo(target))) == {}
    results = judged("timing", with_rpo(target + 1))
    assert red(results) == {"rpo_met": "fail"}
    assert f"{surface}: {target + 1} s, target {target} s" in results["rpo_met"].findings


def test_a_missed_surface_is_worse_than_an_unknown_one() -> None:
    points = tuple(replace(p, rpo_seconds=None if p.surface == "database" else 10.0**9) for p in GOOD.recovered_points)
    assert red(judged("timing", replace(GOOD, recovered_points=points))) == {"rpo_met": "fail"}


def test_every_check_of_timing_was_seen_red() -> None:
    seen = {check for _, expected, _ in TARGETS.values() for check, verdict in expected.items() if verdict == "fail"} | {"rpo_met"}
    assert seen == {c.id for c in catalogue.checks_of("timing")}


POINT = PLAN.database
assert POINT is not None
ORDERS: dict[str, tuple[list[Record], DrillPlan, str]] = {
    "a restore ends before it starts": (
        changed("restore_run", restore_run(at(2), at(1)), "support"),
        PLAN,
        "restore_started:support ends before it starts",
    ),
    "a recovery ends before it starts": (
        changed("database_recovery", {"created_at": at(2), "healthy_at": at(1)}),
        PLAN,
        "recovery ends before it starts",
    ),
    "services are healthy before their database": (
        changed("database_recovery", {"created_at": at(1), "healthy_at": at(50)}),
        PLAN,
        "services healthy before their database",
    ),
    "something happened before the drill was asked for": (
        changed("restore_run", restore_run("2026-10-06T05:00:00Z", at(2)), "app"),
        PLAN,
        "restore_started:app happened before the drill was asked for",
    ),
    "the incident is later than the drill": (good(), replace(PLAN, incident_time=at(5)), "the incident must not be later"),
    "a backup is younger than the incident": (
        good(),
        replace(PLAN, incident_time="2026-10-06T02:00:00Z", database=None),
        "is younger than the incident",
    ),
    "the target is younger than the incident": (
        good(),
        replace(PLAN, database=replace(POINT, target_time="2026-10-06T06:00:02Z")),
        "recovery target is younger than the incident",
    ),
    "a record ends before it begins": (changed("configuration", encode(IN_GIT), began_at=at(1)), PLAN, "ends before it begins"),
}


@pytest.mark.parametrize("case", ORDERS)
def test_an_impossible_order_is_named(case: str) -> None:
    records, plan, words = ORDERS[case]
    facts = measured(records, plan)
    assert any(words in broken for broken in facts.orders_broken), facts.orders_broken
    assert red(judged("timing", facts, plan)).get("times_in_order") == "fail"


def test_two_clocks_may_differ_by_a_second() -> None:
    assert measured(changed("restore_run", restore_run("2026-10-06T05:59:59Z", at(2)), "app")).orders_broken == ()


def test_phases_run_from_the_first_task_to_the_last_record_in_the_order_of_the_graph() -> None:
    phases = {p.name: p for p in GOOD.phases}
    assert list(phases) == ["plan", "preflight", "restore", "verify", "start", "reconcile"]
    assert (phases["restore"].started_at, phases["restore"].ended_at, phases["restore"].seconds) == (at(1), at(2, 5), 65)
    assert phases["start"].seconds == 180
    assert (phases["plan"].started_at, phases["plan"].seconds) == (at(0, 1), 4)


def test_a_record_of_no_stage_is_in_no_phase_and_does_not_count_as_verified() -> None:
    after = a_record("telemetry", {"x": 1}, "teardown.remove", at(59))
    odd = a_record("guard", {"x": 1}, "somewhere_else", at(59))
    facts = measured([*good(), after, odd])
    assert facts.rtt_seconds == GOOD.rtt_seconds
    assert [p.name for p in facts.phases][-1] == "teardown"


def test_of_nothing_nothing_is_measured_and_nothing_passes() -> None:
    facts = measured([])
    assert (facts.rto_seconds, facts.rtt_seconds, facts.rpo_seconds, facts.marks, facts.phases) == (None, None, None, (), ())
    assert red(judged("timing", facts)) == dict.fromkeys(("rto_met", "rtt_met", "rpo_met"), "inconclusive")


def test_marks_say_whose_clock_they_are() -> None:
    clocks = {m.name: m.clock for m in GOOD.marks}
    assert clocks["database_recovered"] == "Kubernetes API server"
    assert clocks["restore_completed:app"] == "Velero server"
    assert clocks["services_healthy"] == clocks["reconciled"] == "drill worker"
