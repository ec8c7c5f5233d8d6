"""The rehearsed route switch: the drill's public hosts moved to the restored stack, looked at from outside, and moved back.

Which stack answers is told by what it answers: the same question is put to the restored service directly, and to the public
name before, during and after. A name whose answers do not differ between the stacks proves nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from dalp_dr.isolation import routes
from dalp_dr.model.check import CheckResult, Stage, expect, failed, inconclusive
from dalp_dr.model.environment import Environment, RouteHost, Service
from dalp_dr.model.plan import DrillPlan

BEFORE = (Stage.ISOLATE, Stage.RESTORE, Stage.VERIFY, Stage.START, Stage.RECONCILE)  # what must have passed before anything is moved
OK = 200


@dataclass(frozen=True)
class Backend:
    """One place a host is mapped to. `weight`: its share of the requests."""

    name: str
    address: str
    weight: int = 100


@dataclass(frozen=True)
class Seen:
    """One answer to a client that knows only the public name. `status` None: no answer, and then `error` says why."""

    at: str
    status: int | None
    sha256: str | None
    error: str | None = None


@dataclass(frozen=True)
class HostSwitch:
    """One public host. Mappings as the entrance told them; `restored`: what the restored service answered, asked directly.

    `through` and `back`: answers while the host was mapped to the restored stack, and after it was mapped back, in order.
    Seconds: from the change of the mapping to the first of the consecutive answers of the stack it was moved to; None: never.
    """

    host: str
    path: str
    before: tuple[Backend, ...]
    switched: tuple[Backend, ...]
    after: tuple[Backend, ...]
    restored: Seen
    at_first: Seen
    through: tuple[Seen, ...]
    back: tuple[Seen, ...]
    switch_seconds: float | None
    back_seconds: float | None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class RouteSwitch:
    """The rehearsal. `dry_run`: it was only said what would change. `procedure_sha256`: of the section of the environment file."""

    kind: str
    dry_run: bool
    procedure_sha256: str
    switched_at: str | None
    back_at: str | None
    hosts: tuple[HostSwitch, ...]
    would_change: tuple[str, ...] = ()


def subjects(plan: DrillPlan) -> tuple[str, ...]:
    """One record in a drill that includes the switch, none in others."""
    return ("drill",) if plan.route_switch else ()


def procedure_sha256(environment: Environment) -> str | None:
    """Digest of how the route is switched; None where the environment file says nothing of it."""
    if environment.route_switch is None:
        return None
    document = environment.route_switch.model_dump(mode="json")
    return hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()


def service_of(environment: Environment, host: RouteHost) -> Service:
    """The service behind a public host."""
    return next(s for s in environment.services if s.name == host.service)


def opening(plan: DrillPlan, service: Service, match_labels: dict[str, str]) -> routes.Manifest:
    """The policy that lets the public entrance, and nobody else, reach one restored service while the route is switched."""
    switch = plan.environment.route_switch
    peers: list[routes.Manifest] = [{"ipBlock": {"cidr": routes.cidr(c)}} for c in (switch.entrance_cidrs if switch else ())]
    if switch and switch.entrance_namespace:
        peers.append({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": switch.entrance_namespace}}})
    return routes.policy(
        plan,
        plan.namespace(service.role),
        f"entrance-{service.name}",
        {"matchLabels": dict(match_labels)},
        ingress=[{"from": peers, "ports": [{"protocol": "TCP", "port": service.port}]}],
    )


def same(seen: Seen, wanted: Seen) -> bool:
    """Both are answers, and the same one."""
    return seen.status is not None and (seen.status, seen.sha256) == (wanted.status, wanted.sha256)


def settled(answers: tuple[Seen, ...], wanted: Seen, polls: int) -> Seen | None:
    """The first of the `polls` last answers when all of them are the wanted one."""
    last = answers[-polls:]
    return last[0] if len(last) == polls and all(same(a, wanted) for a in last) else None


def _unsure(facts: RouteSwitch, plan: DrillPlan) -> Iterable[str]:
    """What leaves it open which stack answered."""
    if facts.dry_run:
        yield "a dry run: nothing was moved; " + "; ".join(facts.would_change)
    wanted = {h.host for h in plan.environment.route_switch.hosts} if plan.environment.route_switch else set()
    for missing in sorted(wanted - {h.host for h in facts.hosts}):
        yield f"{missing}: not tried"
    for host in facts.hosts:
        yield from (f"{host.host}: {error}" for error in host.errors)
        if host.restored.status != OK:
            yield f"{host.host}: the restored service answered {host.restored.status or host.restored.error}"
        elif same(host.at_first, host.restored):
            yield f"{host.host}{host.path}: both stacks answer the same, which of them it was cannot be told"


def judge_moved(facts: RouteSwitch, plan: DrillPlan) -> CheckResult:
    """Clients who know only the public name were served by the restored stack, several times in a row."""
    polls = plan.environment.health_polls
    expected = f"every public host served by the restored stack, {polls} answers in a row"
    unsure = list(_unsure(facts, plan))
    if facts.dry_run or not facts.hosts:
        return inconclusive(expected, "nothing was moved", unsure)
    wrong = [
        f"{h.host}: {_last(h.through)}, the restored service {h.restored.status} {str(h.restored.sha256)[:12]}"
        for h in facts.hosts
        if h.restored.status == OK and settled(h.through, h.restored, polls) is None
    ]
    seen = ", ".join(f"{h.host} after {h.switch_seconds} s" for h in facts.hosts if h.switch_seconds is not None) or "no host"
    if wrong:
        return failed(expected, f"{len(wrong)} of {len(facts.hosts)} hosts were not", [*wrong, *unsure])
    return inconclusive(expected, seen, unsure) if unsure else expect(True, expected, seen)


def judge_back(facts: RouteSwitch, plan: DrillPlan) -> CheckResult:
    """Every host is mapped as it was before, and clients no longer reach the restored stack by its name."""
    expected = "every public host mapped as it was before, and not served by the restored stack"
    if facts.dry_run or not facts.hosts:
        return inconclusive(expected, "nothing was moved", list(_unsure(facts, plan)))
    wrong = [f"{h.host}: mapped to {_mapped(h.after)}, before to {_mapped(h.before)}" for h in facts.hosts if h.after != h.before]
    wrong += [f"{h.host}: still served by the restored stack" for h in facts.hosts if h.back and same(h.back[-1], h.restored)]
    if wrong:
        return failed(expected, f"{len(wrong)} are not", wrong)
    unsure = [*_unsure(facts, plan), *(f"{h.host}: {_last(h.back)}" for h in facts.hosts if h.back_seconds is None)]
    seen = ", ".join(f"{h.host} after {h.back_seconds} s" for h in facts.hosts)
    return inconclusive(expected, seen, unsure) if unsure else expect(True, expected, seen)


def judge_in_time(facts: RouteSwitch, plan: DrillPlan) -> CheckResult:
    """From the change of the mapping to the first answer of the other stack, there and back."""
    limit = plan.environment.route_switch.max_seconds if plan.environment.route_switch else 0
    expected = f"each host moved within {limit} s, and back"
    if facts.dry_run or not facts.hosts:
        return inconclusive(expected, "nothing was moved", list(_unsure(facts, plan)))
    taken = {h.host: (h.switch_seconds, h.back_seconds) for h in facts.hosts}
    late = [f"{host}: {there} s there, {back} s back" for host, (there, back) in taken.items() if max(there or 0, back or 0) > limit]
    if late:
        return failed(expected, f"{len(late)} were not", late)
    never = [f"{host}: never got there" for host, (there, back) in taken.items() if there is None or back is None]
    slowest = max(seconds or 0.0 for pair in taken.values() for seconds in pair)
    return inconclusive(expected, "not every move was completed", never) if never else expect(True, expected, f"at most {slowest} s")


def _last(answers: tuple[Seen, ...]) -> str:
    if not answers:
        return "no answer was looked at"
    last = answers[-1]
    return f"the last of {len(answers)} answers was {last.status} {str(last.sha256)[:12]}" if last.status else f"no answer: {last.error}"


def _mapped(backends: tuple[Backend, ...]) -> str:
    return ", ".join(f"{b.name} ({b.address}, weight {b.weight})" for b in backends) or "nothing"
