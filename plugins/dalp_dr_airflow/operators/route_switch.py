"""Rehearses the route switch on the drill's public hosts: there, looked at from outside, and back; timed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dalp_dr.dossier import Dossier
from dalp_dr.errors import FactError
from dalp_dr.model.check import Verdict
from dalp_dr.services import route_switch
from dalp_dr.services.route_switch import Backend, HostSwitch, RouteSwitch, Seen
from dalp_dr_airflow.drill import Drill, Gathered, now
from dalp_dr_airflow.errors import DrillRefusedError
from dalp_dr_airflow.hooks.errors import CallError, Missing
from dalp_dr_airflow.hooks.kubernetes_paths import path_of
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.isolate import SandboxOperator
from dalp_dr_airflow.operators.services import workload_path

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dalp_dr.model.environment import RouteHost

POLL_SECONDS = 0.5
BEFORE = "route-switch-before.json"  # the mappings as this drill found them; written once, so that a rerun knows them


class RouteSwitchOperator(DrillOperator):
    """Moves each public host to the restored stack, and back whatever happens. A rerun moves back to what the first attempt found."""

    def in_scope(self, drill: Drill) -> bool:
        return drill.plan.route_switch

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        check_passed(drill)
        return [attempt("route_switch", lambda: self.rehearse(drill))]

    def rehearse(self, drill: Drill) -> Gathered:
        environment = drill.plan.environment
        wanted = environment.route_switch
        if wanted is None:
            raise FactError("The environment file does not say how the route is switched.", "Write its section `route_switch`.")
        before = found_before(drill)
        facts = {"kind": wanted.kind, "dry_run": wanted.dry_run, "procedure_sha256": str(route_switch.procedure_sha256(environment))}
        if wanted.dry_run:
            said = tuple(self.tried(drill, host, before[host.host]) for host in wanted.hosts)
            return Gathered("route_switch", RouteSwitch(**facts, switched_at=None, back_at=None, hosts=(), would_change=said))
        try:
            moved = [self.there(drill, host, before[host.host]) for host in wanted.hosts]
            switched_at = now()
            hosts = tuple(self.back(drill, host, there) for host, there in zip(wanted.hosts, moved, strict=True))
        finally:
            put_back(drill)
        return Gathered("route_switch", RouteSwitch(**facts, switched_at=switched_at, back_at=now(), hosts=hosts))

    def restored(self, drill: Drill, host: RouteHost) -> tuple[Backend, ...]:
        """The restored service as the entrance reaches it."""
        service = route_switch.service_of(drill.plan.environment, host)
        namespace = drill.plan.namespace(service.role)
        found = drill.sandbox.get(f"/api/v1/namespaces/{namespace}/services/{service.service}")
        return (Backend(f"{namespace}/{service.service}", f"{found['spec']['clusterIP']}:{service.port}"),)

    def tried(self, drill: Drill, host: RouteHost, before: tuple[Backend, ...]) -> str:
        """What would be changed; the entrance, or the API server, has looked at it and kept nothing."""
        restored = self.restored(drill, host)
        drill.route_control.write(host.host, restored, drill.route_control.read(host.host)[1], dry_run=True)
        return f"{host.host}: {_names(before)} -> {_names(restored)}"

    def there(self, drill: Drill, host: RouteHost, before: tuple[Backend, ...]) -> HostSwitch:
        """Opens the way into the sandbox, maps the host to the restored service and waits until clients reach it."""
        service, polls = route_switch.service_of(drill.plan.environment, host), drill.plan.environment.health_polls
        direct, at_first = self.direct(drill, host), self.outside(drill, host)
        restored = self.restored(drill, host)
        labels = drill.sandbox.get(workload_path(drill, service))["spec"]["selector"]["matchLabels"]
        SandboxOperator.make(drill, route_switch.opening(drill.plan, service, labels))
        began = time.monotonic()
        drill.route_control.write(host.host, restored, drill.route_control.read(host.host)[1], dry_run=False)
        answers, seconds = self.watch(drill, host, direct, polls, began)
        mapped = drill.route_control.read(host.host)[0]
        return HostSwitch(host.host, host.path, before, mapped, (), direct, at_first, answers, (), seconds, None)

    def back(self, drill: Drill, host: RouteHost, there: HostSwitch) -> HostSwitch:
        """Maps the host as it was and waits until clients see what they saw at first."""
        began = time.monotonic()
        drill.route_control.write(host.host, there.before, drill.route_control.read(host.host)[1], dry_run=False)
        answers, seconds = self.watch(drill, host, there.at_first, drill.plan.environment.health_polls, began)
        after = drill.route_control.read(host.host)[0]
        return HostSwitch(**{**_fields(there), "after": after, "back": answers, "back_seconds": seconds})

    def watch(self, drill: Drill, host: RouteHost, wanted: Seen, polls: int, began: float) -> tuple[tuple[Seen, ...], float | None]:
        """Asks until the wanted answer came several times in a row; twice the allowed time at most."""
        limit = 2 * (drill.plan.environment.route_switch.max_seconds if drill.plan.environment.route_switch else 0)
        answers: list[Seen] = []
        since: list[float] = []
        while time.monotonic() - began < limit:
            answers.append(self.outside(drill, host))
            since = [*since, time.monotonic() - began] if route_switch.same(answers[-1], wanted) else []
            if len(since) >= polls:
                return tuple(answers), round(since[0], 3)
            time.sleep(POLL_SECONDS)
        return tuple(answers), None

    @staticmethod
    def direct(drill: Drill, host: RouteHost) -> Seen:
        """What the restored service answers when it is asked without the entrance."""
        service = route_switch.service_of(drill.plan.environment, host)
        return _seen(lambda: drill.sandbox.service_request(drill.plan.namespace(service.role), service.service, service.port, host.path))

    @staticmethod
    def outside(drill: Drill, host: RouteHost) -> Seen:
        """What a client sees that knows only the name."""
        return _seen(lambda: drill.public_client.ask(host.host, host.path))


def check_passed(drill: Drill) -> None:
    """Nobody is routed to what has not passed in this very run. Raises DrillRefusedError."""
    outcomes = Dossier(drill.plan, tuple(drill.records())).outcomes()
    asked = [o for o in outcomes if o.check.stage in route_switch.BEFORE and o.subject != "after"]
    open_ = [f"{o.check.id} ({o.subject}): {o.result.observed}" for o in asked if o.result.verdict is not Verdict.PASS]
    if open_ or not asked:
        raise DrillRefusedError("The route is not switched: " + ("; ".join(open_)[:900] or "nothing was checked"))


def found_before(drill: Drill) -> dict[str, tuple[Backend, ...]]:
    """Host -> mapping as this drill found it, kept before the first change; a rerun reads what was kept."""
    key = drill.key(BEFORE)
    if key not in drill.evidence.list(key):
        wanted = drill.plan.environment.route_switch
        found = {h.host: [asdict(b) for b in drill.route_control.read(h.host)[0]] for h in (wanted.hosts if wanted else ())}
        drill.evidence.put(key, json.dumps(found, sort_keys=True).encode())
    kept = json.loads(drill.evidence.get(key))
    return {host: tuple(Backend(**b) for b in backends) for host, backends in kept.items()}


def put_back(drill: Drill) -> None:
    """Every host mapped as it was found, and the way into the sandbox closed; nothing to do where that is so."""
    if drill.key(BEFORE) not in drill.evidence.list(drill.key(BEFORE)):
        return
    for host, before in found_before(drill).items():
        mapped, version = drill.route_control.read(host)
        if mapped != before:
            drill.route_control.write(host, before, version, dry_run=False)
    wanted = drill.plan.environment.route_switch
    for public in wanted.hosts if wanted else ():
        path = path_of(route_switch.opening(drill.plan, route_switch.service_of(drill.plan.environment, public), {}))
        try:
            drill.sandbox.delete(path, drill.sandbox.get(path)["metadata"]["uid"])
        except Missing:
            continue


def _seen(ask: Any) -> Seen:
    try:
        answer = ask()
    except CallError as error:
        return Seen(now(), None, None, str(error))
    return Seen(now(), answer.status, hashlib.sha256(answer.body).hexdigest())


def _names(backends: Iterable[Backend]) -> str:
    return ", ".join(f"{b.name} {b.weight}" for b in backends) or "nothing"


def _fields(host: HostSwitch) -> dict[str, Any]:
    return {name: getattr(host, name) for name in HostSwitch.__dataclass_fields__}
