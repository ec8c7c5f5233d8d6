"""The drill plan: everything that is frozen before the first write."""

from __future__ import annotations

import hashlib
from dataclasses import MISSING, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal, get_type_hints

import msgspec

from dalp_dr import naming
from dalp_dr.model.check import Surface
from dalp_dr.model.environment import Environment

Policy = Literal["latest", "random", "edge", "timestamp"]


@dataclass(frozen=True)
class Window:
    """The recoverable window of the database, read from the bucket. Times are UTC, RFC 3339."""

    earliest: str
    latest: str
    latest_lsn: str
    timeline: int
    system_id: str
    base_backups: int
    segments: int


@dataclass(frozen=True)
class DatabasePoint:
    """What the database is restored to.

    `target_time`: UTC with microseconds; for policy `latest` the commit time of the last archived transaction.
    `target_lsn` is set for `latest` only: recovery stops right after the commit record that begins there.
    """

    window: Window
    backup_id: str
    backup_end: str
    target_time: str
    target_lsn: str | None
    replay_segments: int


@dataclass(frozen=True)
class BackupPoint:
    """One Velero backup: the recovery point of one source namespace. Times UTC, RFC 3339; clock of the Velero server."""

    role: str
    namespace: str
    backup: str
    schedule: str
    started_at: str
    completed_at: str
    expires_at: str


@dataclass(frozen=True)
class ObjectPoint:
    """Object versions are taken as they were at this time (clock of the object store, whole seconds)."""

    at: str


@dataclass(frozen=True)
class ConfigurationPoint:
    """The commit of the configuration repository in use at the incident time."""

    commit: str
    committed_at: str


@dataclass(frozen=True)
class DrillPlan:
    """Frozen by the `plan` stage and never changed; its digest is the drill's specification.

    `asked_at` starts the recovery clock; `incident_time` is the moment production is pretended to be lost: nothing
    younger is visible to the drill.
    """

    drill_id: str
    dag_id: str
    run_id: str
    environment: Environment
    environment_digest: str
    surfaces: tuple[Surface, ...]
    full: bool
    policy: Policy
    asked_at: str
    incident_time: str
    started_by: str
    keep_sandbox: bool
    random_seed: str
    database: DatabasePoint | None
    backups: tuple[BackupPoint, ...]
    objects: ObjectPoint
    configuration: ConfigurationPoint | None
    source_lost: bool = False  # production's cluster is gone: everything comes from bucket, Git and escrow
    route_switch: bool = False  # whether the drill rehearses the switch of the public hosts; only such a drill earns a claim
    checklist: int = 1  # version of the list of checks this drill answers to

    def namespace(self, role: str) -> str:
        """The sandbox namespace that stands for the source namespace of this role."""
        return naming.sandbox_namespace(self.environment.sandbox.namespace_prefix, self.drill_id, role)

    @property
    def token(self) -> str:
        """Proof of ownership on what this drill makes outside and around its sandbox: 32 hex digits that follow from the plan in
        the evidence store, and from none of the other labels."""
        said = (self.drill_id, self.dag_id, self.run_id, self.asked_at, self.started_by, self.environment.name, self.environment_digest)
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:32]

    @property
    def labels(self) -> dict[str, str]:
        """Ownership labels with the token."""
        return naming.labels(self.drill_id, self.environment.name) | {naming.LABEL_TOKEN: self.token}

    @property
    def expires_at(self) -> str:
        """When the sandbox may be removed by anybody: UTC, RFC 3339. Counted from the moment the drill was asked for."""
        end = utc(self.asked_at) + timedelta(hours=self.environment.sandbox.expires_after_hours)
        return end.isoformat().replace("+00:00", "Z")

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(n.role for n in self.environment.source.namespaces)

    @property
    def covered_roles(self) -> tuple[str, ...]:
        """Roles of the namespaces whose Velero backup this drill restores."""
        wanted = {r for r in self.roles if Surface.KUBERNETES_RESOURCES in self.surfaces}
        if Surface.OBSERVABILITY in self.surfaces:
            wanted.add(self.environment.observability.role)
        return tuple(r for r in self.roles if r in wanted)

    @property
    def database_role(self) -> str:
        source = self.environment.source.namespaces
        return next(n.role for n in source if n.name == self.environment.database.namespace)

    def backup(self, role: str) -> BackupPoint:
        return next(b for b in self.backups if b.role == role)

    def to_dict(self) -> dict[str, Any]:
        data = {k: v for k, v in self.__dict__.items() if k != "environment"}
        plain: dict[str, Any] = msgspec.to_builtins(data)
        return plain | {"environment": self.environment.model_dump(mode="json")}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> DrillPlan:
        """Raises pydantic or msgspec validation errors when the shape is wrong, KeyError when a field is missing or not known."""
        environment = Environment.model_validate(data["environment"])
        if unknown := data.keys() - _TYPES.keys() - {"environment"}:
            raise KeyError(*sorted(unknown))
        known = _DEFAULTS | data
        return cls(environment=environment, **{name: msgspec.convert(known[name], kind) for name, kind in _TYPES.items()})


_TYPES: dict[str, Any] = {name: kind for name, kind in get_type_hints(DrillPlan).items() if name != "environment"}
_DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(DrillPlan) if f.default is not MISSING}


def utc(value: str) -> datetime:
    """An RFC 3339 time of a plan or record as an aware datetime."""
    return datetime.fromisoformat(value.replace("Z", "+00:00"))


__all__ = ["BackupPoint", "ConfigurationPoint", "DatabasePoint", "DrillPlan", "ObjectPoint", "Policy", "Window", "utc"]
