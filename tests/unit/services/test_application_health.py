"""Readiness N times in a row, and sessions on the restored database from the sandbox's own pods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.model.check import Verdict
from dalp_dr.model.environment import Service
from dalp_dr.model.record import RecordKind, encode
from dalp_dr.services import health
from dalp_dr.services.health import ApplicationHealth, Poll
from sandbox_sample import PLAN, SYSTEM_ID, a_pod

SERVICES = PLAN.environment.services
COUNT = PLAN.environment.health_polls


def at(second: int) -> str:
    return f"2026-10-06T06:05:{second:02d}+00:00"


def polls(statuses: list[int | None], service: str = "dalp-dapi") -> list[Poll]:
    return [health.poll(service, at(i), status) for i, status in enumerate(statuses)]


@pytest.mark.parametrize(
    ("statuses", "moment"),
    [
        ([200, 200, 200], at(0)),
        ([503, 200, 200, 200], at(1)),
        ([200, 200, 503, 200, 200, 200, 200], at(3)),
        ([200, 200], None),
        ([200, 200, 200, 503], None),
        ([], None),
        ([None, 404, 302], None),
        ([200, None, 200, 200], None),
        ([204, 200, 201], at(0)),
    ],
)
def test_healthy_since_the_first_of_an_unbroken_run_that_still_lasts(statuses: list[int | None], moment: str | None) -> None:
    assert health.first_healthy(polls(statuses), 3) == moment


def pod_of(service: Service, index: int) -> dict[str, Any]:
    kind, name = service.workload.split("/")
    owner = ("StatefulSet", name) if kind == "statefulset" else ("ReplicaSet", f"{name}-5d59d67564")
    pod = a_pod(PLAN.namespace(service.role), f"{name}-{index}", address=f"10.244.1.{index}", owner=owner)
    pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    return pod


def good() -> ApplicationHealth:
    sessions = [
        {"application_name": s.database_session, "client_addr": f"10.244.1.{i}"} for i, s in enumerate(SERVICES) if s.database_session
    ]
    return health.facts_from(
        PLAN,
        [p for s in SERVICES for p in polls([503] + [200] * COUNT, s.name)],
        [*sessions, sessions[0], {"application_name": "cnpg", "client_addr": None}],
        [pod_of(s, i) for i, s in enumerate(SERVICES)],
        {"system_id": SYSTEM_ID, "timeline": "2"},
    )


GOOD = good()


def test_good_facts_pass_also_after_storing() -> None:
    stored = RecordKind("application_health", ApplicationHealth, "start").decode(encode(GOOD))
    assert stored == GOOD
    assert health.services_healthy(stored, PLAN).verdict is Verdict.PASS
    assert health.sessions_on_restored_database(stored, PLAN).verdict is Verdict.PASS
    assert stored.first_healthy_at == at(1)


def test_settled_needs_every_service() -> None:
    assert health.settled(PLAN, GOOD.polls)
    assert not health.settled(PLAN, [p for p in GOOD.polls if p.service != "dalp-worker"])


Change = Callable[[ApplicationHealth], ApplicationHealth]


def last_poll(status: int | None, detail: str = "") -> Change:
    return lambda facts: replace(facts, polls=(*facts.polls, Poll("dalp-worker", at(30), status, detail)))


@pytest.mark.parametrize(
    ("change", "verdict", "finding"),
    [
        (last_poll(503, "database"), Verdict.FAIL, "dalp-worker: /health/ready last answered 503 database"),
        (last_poll(None, "no route"), Verdict.FAIL, "last answered nothing no route"),
        (
            lambda f: replace(f, polls=tuple(p for p in f.polls if p.service != "dalp-worker")),
            Verdict.INCONCLUSIVE,
            "dalp-worker was not asked",
        ),
        (lambda f: replace(f, polls=()), Verdict.INCONCLUSIVE, "was not asked"),
        (
            lambda f: replace(f, pods=tuple(replace(p, ready=False) if p.service == "dalp-dapi" else p for p in f.pods)),
            Verdict.FAIL,
            "is not ready",
        ),
        (
            lambda f: replace(f, pods=tuple(p for p in f.pods if p.service != "dalp-dapi")),
            Verdict.FAIL,
            "dalp-dapi: no pod of its own",
        ),
        (lambda f: replace(f, polls=f.polls[:-1]), Verdict.FAIL, "last answered 200"),
    ],
)
def test_services(change: Change, verdict: Verdict, finding: str) -> None:
    result = health.services_healthy(change(GOOD), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


def sessions(*rows: health.Session) -> Change:
    return lambda facts: replace(facts, sessions=facts.sessions + rows)


@pytest.mark.parametrize(
    ("change", "verdict", "finding"),
    [
        (
            sessions(health.Session("psql", "127.0.0.1", 1), health.Session("cnpg_metrics_exporter", "", 1)),
            Verdict.PASS,
            "",
        ),
        (
            sessions(health.Session("dalp-worker", "10.244.7.7", 2)),
            Verdict.FAIL,
            "2 sessions of dalp-worker from 10.244.7.7, which is no pod",
        ),
        (
            lambda f: replace(f, sessions=tuple(s for s in f.sessions if s.application_name != "dalp-worker")),
            Verdict.FAIL,
            "dalp-worker: no session",
        ),
        (
            lambda f: replace(
                f,
                sessions=tuple(replace(s, address="10.244.1.0") if s.application_name == "dalp-worker" else s for s in f.sessions),
            ),
            Verdict.FAIL,
            "dalp-worker: no session named dalp-worker from its own pods",
        ),
        (
            lambda f: replace(f, system_id="7000000000000000002"),
            Verdict.FAIL,
            f"system id 7000000000000000002, not {SYSTEM_ID}",
        ),
        (lambda f: replace(f, system_id=""), Verdict.INCONCLUSIVE, ""),
        (lambda f: replace(f, pods=()), Verdict.INCONCLUSIVE, ""),
    ],
)
def test_sessions(change: Change, verdict: Verdict, finding: str) -> None:
    result = health.sessions_on_restored_database(change(GOOD), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


def test_a_pod_belongs_to_the_service_whose_controller_made_it_in_its_own_namespace() -> None:
    strange = a_pod(PLAN.namespace("support"), "x", owner=("ReplicaSet", "dalp-dapi-abc"))
    longer = a_pod(PLAN.namespace("app"), "y", owner=("ReplicaSet", "dalp-dapi-extra-abc"))
    facts = health.facts_from(PLAN, [], [], [strange, longer], {})
    assert [p.service for p in facts.pods] == ["", ""]


def test_a_page_as_detail_is_cut() -> None:
    assert len(health.poll("s", at(0), 500, "x" * 5000).detail) == 200
