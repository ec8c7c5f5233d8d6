"""Freezes a drill: parameters checked, one recovery point per surface chosen from the real recoverable window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import urlsplit

from dalp_dr import naming
from dalp_dr.errors import InputError, ParameterError
from dalp_dr.kubernetes_resources import backups
from dalp_dr.model.check import CHECKLIST, Surface
from dalp_dr.model.environment import FROM_CONNECTION, Environment, Route
from dalp_dr.model.environment_file import digest
from dalp_dr.model.plan import BackupPoint, ConfigurationPoint, DatabasePoint, DrillPlan, ObjectPoint, Policy, utc


@dataclass(frozen=True)
class Request:
    """Who asked for which drill; `asked_at` is when the run was first queued, so a rerun does not move it."""

    dag_id: str
    run_id: str
    asked_at: datetime
    started_by: str
    reason: str
    surfaces: tuple[Surface, ...]
    policy: Policy
    value: str | None
    keep_sandbox: bool
    source_lost: bool = False
    route_switch: bool = False

    @property
    def drill_id(self) -> str:
        return naming.drill_id(self.dag_id, self.run_id, self.asked_at)

    @property
    def asked(self) -> str:
        return self.asked_at.astimezone(UTC).isoformat()

    @property
    def seed(self) -> str:
        """Seed of every random choice of this drill; recorded, so that the choice can be repeated."""
        return self.drill_id


def request(
    params: Mapping[str, Any], dag_id: str, run_id: str, asked_at: datetime, started_by: str, reason: str, source_lost: bool = False
) -> Request:
    """The request a run's parameters make; `source_lost`: of a drill that does without production.

    Raises ParameterError, naming the parameter, before anything is written.
    """
    policy, value = params.get("target_policy", "latest"), params.get("target_value") or None
    if policy not in get_args(Policy):
        raise ParameterError(f"target_policy: {policy!r} is none of {', '.join(get_args(Policy))}.", "Choose one of them.")
    if policy == "timestamp":
        _check_timestamp(value, asked_at)
    elif value is not None and policy != "edge":
        raise ParameterError(
            f"target_value: {value!r} is given, but target_policy {policy} takes none.",
            "Leave it empty, or choose target_policy `timestamp`.",
        )
    try:
        surfaces = tuple(Surface(s) for s in params.get("surfaces") or [s.value for s in Surface])
    except ValueError as error:
        raise ParameterError(f"surfaces: {error}.", f"Choose among {', '.join(s.value for s in Surface)}.") from error
    if len(set(surfaces)) != len(surfaces):
        raise ParameterError("surfaces: a surface is named twice.", "Name each once.")
    for surface, needs in NEEDS.items():
        if surface in surfaces and needs not in surfaces:
            raise ParameterError(
                f"surfaces: {surface.value} cannot be checked without {needs.value}, which it is compared with.", f"Add {needs.value}."
            )
    keep, switch = bool(params.get("keep_sandbox")), bool(params.get("route_switch"))
    if switch and set(surfaces) != set(Surface):
        raise ParameterError("route_switch: only a drill over all five surfaces can switch the route.", "Leave it out.")
    return Request(dag_id, run_id, asked_at, started_by, reason, surfaces, policy, value, keep, source_lost, switch)


def must_suit(environment: Environment, asked: Request) -> None:
    """Raises ParameterError where a drill without production would have to run in production's own cluster."""
    if asked.source_lost and environment.cluster == "same":
        raise ParameterError(
            f"environment: {environment.name} recovers beside production (cluster: same), which is lost in this drill.",
            "Choose an environment with `cluster: separate`.",
        )


NEEDS = {  # what a surface is judged by: rows that name objects, and the objects that Git renders
    Surface.OBJECT_STORAGE: Surface.DATABASE,
    Surface.CONFIGURATION: Surface.KUBERNETES_RESOURCES,
    Surface.OBSERVABILITY: Surface.KUBERNETES_RESOURCES,  # its service starts only behind a proven, sealed restore
}


def _check_timestamp(value: str | None, asked_at: datetime) -> None:
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise ParameterError(f"target_value: {value!r} is not a time.", "Write it as 2026-09-01T07:30:00Z.") from None
    if moment.tzinfo is None:
        raise ParameterError(f"target_value: {value!r} has no time zone.", "Write it as 2026-09-01T07:30:00Z.")
    if moment > asked_at:
        raise ParameterError(f"target_value: {value} lies in the future.", "Choose a moment inside the recoverable window.")


def route(url: str, field: str) -> Route:
    """Host and port of a connection's URL; Raises InputError where it has none."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:  # not a number, or beyond 65535
        port = None
    if not parts.hostname or not port:
        raise InputError(
            f"{field}: connection URL {parts.scheme}://{parts.hostname or '?'} has no host and port.",
            f"Correct the connection, or set sandbox.routes.{field} in the environment file.",
        )
    return Route(address=parts.hostname, port=port)


def resolve(environment: Environment, addresses: Mapping[str, Route], archive_endpoint: str) -> Environment:
    """The environment with the addresses that it left to the connections filled in; what it names itself wins."""
    routes = environment.sandbox.routes
    filled = {
        name: addresses[name]
        for name in ("kubernetes_api", "backup_store", "object_storage", "rpc")
        if getattr(routes, name) == FROM_CONNECTION
    }
    sandbox = environment.sandbox.model_copy(update={"routes": routes.model_copy(update=filled)})
    database = environment.database
    if database.archive_endpoint is None:
        database = database.model_copy(update={"archive_endpoint": archive_endpoint})
    return environment.model_copy(update={"sandbox": sandbox, "database": database})


def choose_backups(environment: Environment, found: Iterable[dict[str, Any]], incident_time: str) -> tuple[BackupPoint, ...]:
    """One backup per source namespace; a namespace without one is left out, and preflight refuses for it."""
    listed = list(found)
    points = (backups.choose(listed, source, utc(incident_time)) for source in environment.source.namespaces)
    return tuple(p for p in points if p is not None)


def freeze(
    asked: Request,
    original: Environment,
    resolved: Environment,
    incident_time: str,
    database: DatabasePoint | None,
    chosen: tuple[BackupPoint, ...],
    configuration: ConfigurationPoint | None,
) -> DrillPlan:
    """The plan. `original` is the document as written (its digest is kept), `resolved` the same with addresses.

    Raises ParameterError when the route is to be switched and the environment file does not say how.
    """
    if asked.route_switch and original.route_switch is None:
        raise ParameterError(
            f"route_switch: the environment file of {original.name} has no section `route_switch`.", "Write it, or leave the parameter out."
        )
    return DrillPlan(
        drill_id=asked.drill_id,
        dag_id=asked.dag_id,
        run_id=asked.run_id,
        environment=resolved,
        environment_digest=digest(original),
        surfaces=asked.surfaces,
        full=set(asked.surfaces) == set(Surface),
        policy=asked.policy,
        asked_at=asked.asked,
        incident_time=incident_time,
        started_by=asked.started_by,
        keep_sandbox=asked.keep_sandbox,
        random_seed=asked.seed,
        database=database,
        backups=chosen,
        objects=ObjectPoint(incident_time),
        configuration=configuration,
        source_lost=asked.source_lost,
        route_switch=asked.route_switch,
        checklist=CHECKLIST,
    )
