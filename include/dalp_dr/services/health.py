"""Are the services healthy on restored state? Readiness, N times in a row, and sessions on the restored database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dalp_dr.model.check import CheckResult, expect, inconclusive
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
class Workload:
    """Replicas wanted and ready of a service's workload when it was last looked at."""

    service: str
    replicas: int
    ready: int


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


@dataclass(frozen=True)
class ApplicationHealth:
    """All polls in order, the workloads, and who is connected to the restored database (`system_id` of that server)."""

    polls: tuple[Poll, ...]
    workloads: tuple[Workload, ...]
    sessions: tuple[Session, ...]
    pods: tuple[SandboxPod, ...]
    system_id: str


def poll(service: str, at: str, status: int | None, detail: str = "") -> Poll:
    """One poll; the detail is cut, since it may be a page."""
    return Poll(service, at, status, detail[:200])


def first_healthy(polls: Sequence[Poll], count: int) -> str | None:
    """When a service became healthy: the first poll of the last unbroken run of healthy ones, if that run has `count`."""
    run: list[Poll] = []
    for one in polls:
        run = [*run, one] if one.healthy else []
    return run[0].at if len(run) >= count else None


def settled(polls: Sequence[Poll], count: int) -> bool:
    """Whether the last `count` polls of a service were all healthy."""
    return first_healthy(polls, count) is not None


def healthy_at(facts: ApplicationHealth, plan: DrillPlan) -> str | None:
    """When the last of all services became healthy: the mark "services healthy". None while one is not."""
    moments = [first_healthy(_of(facts, s.name), plan.environment.health_polls) for s in plan.environment.services]
    found = [m for m in moments if m is not None]
    return max(found, key=utc) if found and len(found) == len(moments) else None


def _of(facts: ApplicationHealth, service: str) -> list[Poll]:
    return sorted((p for p in facts.polls if p.service == service), key=lambda p: utc(p.at))


def facts_from(plan: DrillPlan, polls: Iterable[Poll], ready: Mapping[str, Mapping[str, int]], sessions: Iterable[Mapping[str, Any]],
               pods: Iterable[Mapping[str, Any]], system_id: str) -> ApplicationHealth:
    """From polls, `{service: {"replicas", "ready"}}`, rows of the sandbox server's pg_stat_activity, and the sandbox's Pod objects."""
    counted: dict[tuple[str, str], int] = {}
    for row in sessions:
        key = (str(row.get("application_name") or ""), str(row.get("client_addr") or "").split("/")[0])
        counted[key] = counted.get(key, 0) + 1
    return ApplicationHealth(
        polls=tuple(polls), workloads=tuple(Workload(s, int(n["replicas"]), int(n["ready"])) for s, n in sorted(ready.items())),
        sessions=tuple(Session(name, address, n) for (name, address), n in sorted(counted.items())),
        pods=tuple(SandboxPod(p["metadata"]["namespace"], p["metadata"]["name"], p["status"]["podIP"], _service_of(plan, p))
                   for p in pods if p.get("status", {}).get("podIP")), system_id=system_id)


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
    """Every service the environment names answered its readiness path N times in a row, and all its replicas are ready."""
    count, polled = plan.environment.health_polls, {p.service for p in facts.polls}
    workloads = {w.service: w for w in facts.workloads}
    expected = f"{len(plan.environment.services)} services ready {count} times in a row"
    missing = [f"{s.name} was not asked" for s in plan.environment.services if s.name not in polled or s.name not in workloads]
    wrong = []
    for service in plan.environment.services:
        answers, workload = _of(facts, service.name), workloads.get(service.name)
        if answers and not settled(answers, count):
            last = answers[-1]
            wrong.append(f"{service.name}: {service.ready_path} last answered {last.status or 'nothing'} {last.detail}".strip())
        if workload and (workload.ready < workload.replicas or workload.replicas < 1):
            wrong.append(f"{service.name}: {workload.ready} of {workload.replicas} replicas ready")
    if wrong or not missing:
        return expect(not wrong, expected, f"{len(wrong)} unhealthy; all healthy since {healthy_at(facts, plan) or 'never'}", wrong + missing)
    return inconclusive(expected, f"{len(missing)} not asked", missing)


def sessions_on_restored_database(facts: ApplicationHealth, plan: DrillPlan) -> CheckResult:
    """Each service that uses the database is connected to the restored one from a pod of its own, and nobody else is."""
    expected = "a session of each service from its own sandbox pod, none from elsewhere"
    recovered = plan.database.window.system_id if plan.database else ""
    if not facts.system_id or not facts.pods:
        return inconclusive(expected, "the server or the pods did not tell who they are")
    by_address = {p.address: p for p in facts.pods}
    wrong = [f"the server asked has system id {facts.system_id}, not {recovered}"] if recovered and facts.system_id != recovered else []
    wrong += [f"{s.count} sessions of {s.application_name or 'an unnamed client'} from {s.address}, which is no pod of the sandbox"
              for s in facts.sessions if s.address not in LOCAL and s.address not in by_address]
    for service in plan.environment.services:
        if service.database_session is None:
            continue
        own = [s for s in facts.sessions if s.application_name == service.database_session
               and s.address in by_address and by_address[s.address].service == service.name]
        if not own:
            wrong.append(f"{service.name}: no session named {service.database_session} from its own pods")
    return expect(not wrong, expected, f"{sum(s.count for s in facts.sessions)} sessions", wrong)
