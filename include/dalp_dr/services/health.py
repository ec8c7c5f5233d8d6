"""Are the services healthy on restored state? Readiness, N times in a row, and sessions on the restored database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.environment import Service
from dalp_dr.model.plan import DrillPlan, utc

LOCAL = ("", "127.0.0.1", "::1")  # the instance itself and what is forwarded to it


@dataclass(frozen=True)
class Poll:
    """One answer of a service's readiness path. `status` is None when there was no HTTP answer; `at`: UTC, RFC 3339."""

    service: str
    at: str
    status: int | None
    detail: str = ""

    @property
    def healthy(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Session:
    """Sessions on the sandbox's database server with one name from one address."""

    application_name: str
    address: str
    count: int


@dataclass(frozen=True)
class SandboxPod:
    """A pod of the sandbox by its address."""

    namespace: str
    name: str
    address: str
    service: str  # the environment's service whose workload made it, or ""
    ready: bool


@dataclass(frozen=True)
class ApplicationHealth:
    """All polls, the sandbox's pods, and who is connected to the restored database (`system_id` and `timeline` of
    that server)."""

    polls: tuple[Poll, ...]
    sessions: tuple[Session, ...]
    pods: tuple[SandboxPod, ...]
    system_id: str
    timeline: str = ""
    first_healthy_at: str | None = None  # when the last service became healthy; None while one is not


def poll(service: str, at: str, status: int | None, detail: str = "") -> Poll:
    """One poll; the detail is cut, since it may be a page."""
    return Poll(service, at, status, detail[:200])


def first_healthy(polls: Sequence[Poll], count: int) -> str | None:
    """When a service became healthy: the first poll of the last unbroken run of healthy ones, if that run has
    `count`."""
    run: list[Poll] = []
    for one in polls:
        run = [*run, one] if one.healthy else []
    return run[0].at if len(run) >= count else None


def expected(plan: DrillPlan) -> tuple[Service, ...]:
    """The services of the namespaces this drill restores."""
    return tuple(s for s in plan.environment.services if s.role in plan.covered_roles)


def settled(plan: DrillPlan, polls: Iterable[Poll]) -> bool:
    """Whether the last polls of every expected service were all healthy, as many as the environment asks for."""
    return healthy_at(plan, polls) is not None


def healthy_at(plan: DrillPlan, polls: Iterable[Poll]) -> str | None:
    """When the last of all services became healthy: the mark "services healthy". None while one is not."""
    listed = list(polls)
    moments = [first_healthy(_of(listed, s.name), plan.environment.health_polls) for s in expected(plan)]
    found = [m for m in moments if m is not None]
    return max(found, key=utc) if found and len(found) == len(moments) else None


def _of(polls: Iterable[Poll], service: str) -> list[Poll]:
    return sorted((p for p in polls if p.service == service), key=lambda p: utc(p.at))


def facts_from(
    plan: DrillPlan,
    polls: Iterable[Poll],
    sessions: Iterable[Mapping[str, Any]],
    pods: Iterable[Mapping[str, Any]],
    server: Mapping[str, Any],
) -> ApplicationHealth:
    """From polls, rows of the sandbox server's pg_stat_activity (application_name, client_addr), the sandbox's Pod
    objects, and that server's own row (system_id, timeline)."""
    counted: dict[tuple[str, str], int] = {}
    for row in sessions:
        key = (str(row.get("application_name") or ""), str(row.get("client_addr") or "").split("/")[0])
        counted[key] = counted.get(key, 0) + 1
    listed = tuple(polls)
    return ApplicationHealth(
        polls=listed,
        sessions=tuple(Session(name, address, n) for (name, address), n in sorted(counted.items())),
        pods=tuple(
            SandboxPod(p["metadata"]["namespace"], p["metadata"]["name"], p["status"]["podIP"], _service_of(plan, p), _ready(p))
            for p in pods
            if p.get("status", {}).get("podIP")
        ),
        system_id=str(server.get("system_id") or ""),
        timeline=str(server.get("timeline") or ""),
        first_healthy_at=healthy_at(plan, listed),
    )


def _ready(pod: Mapping[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions") or ())


def _service_of(plan: DrillPlan, pod: Mapping[str, Any]) -> str:
    """By the controller's name: a Deployment's pods belong to a ReplicaSet named after it."""
    owners = [(o["kind"], o["name"]) for o in pod["metadata"].get("ownerReferences") or ()]
    for service in plan.environment.services:
        kind, name = service.workload.split("/", 1)
        if plan.namespace(service.role) != pod["metadata"]["namespace"]:
            continue
        if kind == "statefulset" and ("StatefulSet", name) in owners:
            return service.name
        if kind == "deployment" and any(k == "ReplicaSet" and n.rsplit("-", 1)[0] == name for k, n in owners):
            return service.name
    return ""


def services_healthy(facts: ApplicationHealth, plan: DrillPlan) -> CheckResult:
    """Every service answered its readiness path N times in a row, and has a pod in the sandbox, and all its pods are
    ready."""
    count, services = plan.environment.health_polls, expected(plan)
    wanted = f"{len(services)} services ready {count} times in a row"
    if not services:
        return inconclusive(wanted, "this drill restores no service")
    missing = [f"{s.name} was not asked" for s in services if s.name not in {p.service for p in facts.polls}]
    wrong = []
    for service in services:
        answers, pods = _of(facts.polls, service.name), [p for p in facts.pods if p.service == service.name]
        if answers and first_healthy(answers, count) is None:
            last = answers[-1]
            wrong.append(f"{service.name}: {service.ready_path} last answered {last.status or 'nothing'} {last.detail}".strip())
        wrong += [f"{service.name}: pod {p.name} is not ready" for p in pods if not p.ready]
        wrong += [] if pods else [f"{service.name}: no pod of its own in {plan.namespace(service.role)}"]
    if wrong or not missing:
        since = healthy_at(plan, facts.polls) or "never"
        return expect(not wrong, wanted, f"{len(wrong)} findings; all healthy since {since}", wrong + missing)
    return inconclusive(wanted, f"{len(missing)} not asked", missing)


def sessions_on_restored_database(facts: ApplicationHealth, plan: DrillPlan) -> CheckResult:
    """Each service that uses the database is connected to the restored one from a pod of its own, and nobody else
    is."""
    wanted = "a session of each service from its own sandbox pod, none from elsewhere"
    recovered = plan.database.window.system_id if plan.database else ""
    if not facts.system_id or not facts.pods:
        return inconclusive(wanted, "the server or the pods did not tell who they are")
    if not any(service.database_session for service in expected(plan)):
        return inconclusive(wanted, "the environment file names no service's database_session, so nothing was looked for")
    by_address = {p.address: p for p in facts.pods}
    wrong = [f"the server asked has system id {facts.system_id}, not {recovered}"] if recovered and facts.system_id != recovered else []
    wrong += [
        f"{s.count} sessions of {s.application_name or 'an unnamed client'} from {s.address}, which is no pod of the sandbox"
        for s in facts.sessions
        if s.address not in LOCAL and s.address not in by_address
    ]
    for service in expected(plan):
        if service.database_session is None:
            continue
        own = [
            s
            for s in facts.sessions
            if s.application_name == service.database_session and s.address in by_address and by_address[s.address].service == service.name
        ]
        if not own:
            wrong.append(f"{service.name}: no session named {service.database_session} from its own pods")
    return expect(not wrong, wanted, f"{sum(s.count for s in facts.sessions)} sessions", wrong)
