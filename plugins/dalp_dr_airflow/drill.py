"""What every operator of a drill works with: its plan, its hooks and its evidence. The composition root.

Airflow connections decide whether a drill talks to the lab or to production; no code path knows the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalp_dr import catalogue, naming
from dalp_dr.errors import EvidenceError, FactError, InputError, RefusedError
from dalp_dr.evidence import canonical, records, redaction
from dalp_dr.model import environment_file
from dalp_dr.model.check import Check, CheckResult, Verdict, inconclusive, worst
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import Capture, Record, encode
from dalp_dr.timing.provenance import AttemptFacts

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dalp_dr.model.environment import Environment
    from dalp_dr_airflow.hooks.airflow_api import AirflowApiHook
    from dalp_dr_airflow.hooks.backup_store import BackupStoreHook
    from dalp_dr_airflow.hooks.barman_catalog import BarmanCatalogHook
    from dalp_dr_airflow.hooks.cnpg import CnpgHook
    from dalp_dr_airflow.hooks.configuration import ConfigurationHook
    from dalp_dr_airflow.hooks.evidence import EvidenceStoreHook
    from dalp_dr_airflow.hooks.evm import EvmHook
    from dalp_dr_airflow.hooks.kubernetes_sandbox import SandboxKubernetesHook
    from dalp_dr_airflow.hooks.kubernetes_source import SourceKubernetesHook
    from dalp_dr_airflow.hooks.object_versions import ObjectVersionHook
    from dalp_dr_airflow.hooks.route_objects import RouteObjectHook
    from dalp_dr_airflow.hooks.routes import PublicClientHook, RouteControlHook
    from dalp_dr_airflow.hooks.source_database import SourceDatabaseHook
    from dalp_dr_airflow.hooks.velero import VeleroHook

INCLUDE = Path(os.environ.get("DALP_DR_INCLUDE") or Path(__file__).resolve().parents[2] / "include")
LEASE_NAMESPACE = "dalp-dr"  # namespace of the drills' own identities and of the lease


def now() -> str:
    """UTC now, RFC 3339, clock of this worker."""
    return datetime.now(UTC).isoformat()


def known_masked(text: str) -> str:
    """`text` without the passwords and extras of the connections this process has read; Airflow knows them."""
    from airflow.sdk.log import redact

    return str(redact(text))


def masked(text: str) -> str:
    """`text` without those, and without anything that looks like a secret: for errors, which may quote anything."""
    return redaction.redact_text(known_masked(text))


@dataclass(frozen=True)
class Gathered:
    """What a gatherer brings home about one subject: facts of the kind, or the error that prevented them.

    `captures`: name -> (what was asked, raw answer); redacted before they are stored.
    """

    kind: str
    facts: Any | None
    subject: str = "drill"
    error: str | None = None
    captures: Mapping[str, tuple[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """One record and what its checks say."""

    record: Record
    uri: str
    sha256: str
    size: int
    results: tuple[tuple[Check, CheckResult], ...]

    @property
    def verdict(self) -> Verdict:
        if self.record.facts is None:
            return Verdict.INCONCLUSIVE
        return worst([r.verdict for _, r in self.results] or [Verdict.PASS])


def environment_of(name: str) -> Environment:
    """The environment file `include/environments/<name>.yaml`. Raises EnvironmentFileError."""
    return environment_file.read(INCLUDE / "environments" / f"{Path(name).name}.yaml")


class Drill:
    """One drill as a task sees it. Hooks are made when first asked for, from the connections the environment names.

    `ending`: nothing is asked of it any more but its end, so that it does not matter whether the environment file was changed.
    """

    def __init__(self, drill_id: str, environment: Environment, task_id: str, attempt: int, ending: bool = False) -> None:
        self.drill_id, self.environment, self.task_id, self.attempt, self.ending = drill_id, environment, task_id, attempt, ending
        self.began_at = now()

    @classmethod
    def open(cls, context: Context) -> Drill:
        """The drill of a running task: id from DAG id, run id and the moment the run was first queued."""
        run, ti = context["dag_run"], context["ti"]
        return cls(
            naming.drill_id(run.dag_id, run.run_id, run.run_after),
            environment_of(context["params"]["environment"]),
            ti.task_id if ti.map_index < 0 else f"{ti.task_id}.{ti.map_index}",
            ti.try_number,
        )

    # ---- plan

    @cached_property
    def plan(self) -> DrillPlan:
        """The frozen plan. Raises RefusedError when there is none, i.e. the plan stage did not succeed."""
        try:
            found = records.decode_plan(self.evidence.get(self.key("plan.json")))
        except EvidenceError as error:
            raise RefusedError(f"Drill {self.drill_id} has no plan.", "Clear the plan task; later stages need it.") from error
        if not self.ending and environment_file.digest(self.environment) != found.environment_digest:
            raise RefusedError(
                f"The environment file of {self.environment.name} was changed after the plan was frozen.",
                "Undo that, or start a new drill.",
            )
        return found

    def is_planned(self) -> bool:
        """Whether this drill's plan is frozen already."""
        return self.key("plan.json") in self.evidence.list(self.key("plan.json"))

    @cached_property
    def source_lost(self) -> bool:
        """Whether this drill does without production. The plan task says so; every other one reads it in the plan."""
        return self.plan.source_lost

    # ---- hooks

    @cached_property
    def evidence(self) -> EvidenceStoreHook:
        from dalp_dr_airflow.hooks.evidence import EvidenceStoreHook

        environment = self.environment
        return EvidenceStoreHook(
            environment.connections.evidence_store,
            environment.evidence_bucket,
            environment.evidence_lock,
            environment.evidence_retention_days,
        )

    @cached_property
    def source(self) -> SourceKubernetesHook:
        from dalp_dr_airflow.hooks.kubernetes_source import SourceKubernetesHook

        if self.source_lost:
            raise RefusedError(
                "Production is lost in this drill: nothing may be read from it.", "This is a defect of the drill: report it."
            )
        return SourceKubernetesHook(self.environment.connections.source_kubernetes)

    @cached_property
    def sandbox(self) -> SandboxKubernetesHook:
        from dalp_dr_airflow.hooks.kubernetes_sandbox import SandboxKubernetesHook

        return SandboxKubernetesHook(
            self.environment.connections.sandbox_kubernetes,
            self.environment.sandbox.namespace_prefix,
            self.environment.source.velero_namespace,
            LEASE_NAMESPACE,
        )

    @cached_property
    def velero(self) -> VeleroHook:
        from dalp_dr_airflow.hooks.velero import VeleroHook

        return VeleroHook(None if self.source_lost else self.source, self.sandbox, self.environment.source.velero_namespace)

    @cached_property
    def cnpg(self) -> CnpgHook:
        from dalp_dr_airflow.hooks.cnpg import CnpgHook

        return CnpgHook(self.sandbox)

    @cached_property
    def source_database(self) -> SourceDatabaseHook:
        """Raises InputError where the environment names no connection to it."""
        from dalp_dr_airflow.hooks.source_database import SourceDatabaseHook

        named = self.environment.connections.source_database
        if named is None:
            raise InputError("The environment names no connection to production's database.", "Set connections.source_database.")
        return SourceDatabaseHook(named)

    @cached_property
    def backup_store(self) -> BackupStoreHook:
        from dalp_dr_airflow.hooks.backup_store import BackupStoreHook

        source = self.environment.source
        return BackupStoreHook(self.environment.connections.backup_store, source.backup_bucket, source.backup_prefix)

    @cached_property
    def catalog(self) -> BarmanCatalogHook:
        from dalp_dr_airflow.hooks.barman_catalog import BarmanCatalogHook

        database = self.environment.database
        return BarmanCatalogHook(
            self.environment.connections.backup_store, database.archive_bucket, database.archive_prefix, database.server_name
        )

    @cached_property
    def objects(self) -> ObjectVersionHook:
        from dalp_dr_airflow.hooks.object_versions import ObjectVersionHook

        return ObjectVersionHook(self.environment.connections.object_storage)

    @cached_property
    def nodes(self) -> dict[str, EvmHook]:
        """The two RPC nodes, `primary` and `secondary`."""
        from dalp_dr_airflow.hooks.evm import EvmHook

        connections = self.environment.connections
        return {"primary": EvmHook(connections.rpc_primary), "secondary": EvmHook(connections.rpc_secondary)}

    @cached_property
    def route_control(self) -> RouteControlHook | RouteObjectHook:
        """The mapping of the public hosts: at an entrance, or in an object of Kubernetes."""
        from dalp_dr_airflow.hooks.route_objects import RouteObjectHook
        from dalp_dr_airflow.hooks.routes import RouteControlHook

        wanted, connection = self.environment.route_switch, self.environment.connections.route_control
        if wanted is None or wanted.object is None:
            return RouteControlHook(connection)
        return RouteObjectHook(connection, wanted.kind, *wanted.object.split("/"))

    @cached_property
    def public_client(self) -> PublicClientHook:
        from dalp_dr_airflow.hooks.routes import PublicClientHook

        return PublicClientHook(self.environment.connections.public_entrance)

    @cached_property
    def configuration(self) -> ConfigurationHook:
        from dalp_dr_airflow.hooks.configuration import ConfigurationHook

        return ConfigurationHook(self.environment.connections.configuration_repository)

    @cached_property
    def airflow(self) -> AirflowApiHook:
        from dalp_dr_airflow.hooks.airflow_api import AirflowApiHook

        return AirflowApiHook(self.environment.connections.airflow_api)

    def backups(self) -> list[dict[str, Any]]:
        """Velero's backups: as production lists them, or as the bucket has them where production is lost."""
        return self.backup_store.backups() if self.source_lost else self.velero.backups()

    def sql(
        self,
        *names: str,
        timeout_seconds: float = 60,
        numbers: Mapping[str, int] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> dict[str, list[dict[str, Any]]]:
        """Rows of the profile's SQL texts, read in the sandbox database in one snapshot.

        `numbers`: values of `:name` in the texts; `variables`: texts that stand there as `:'name'`.
        """
        database = self.plan.environment.database
        texts = {name: self.sql_text(name) for name in names}
        for name, value in (numbers or {}).items():
            texts = {key: re.sub(rf":{name}\b", str(int(value)), text) for key, text in texts.items()}
        return self.cnpg.psql_many(
            self.plan.namespace(self.plan.database_role),
            database.cluster,
            database.database,
            texts,
            timeout_seconds,
            variables,
        )

    def sql_rows(self, text: str, timeout_seconds: float = 60) -> list[dict[str, Any]]:
        """Rows of one SQL text of the core's own, read in the sandbox database."""
        database = self.plan.environment.database
        return self.cnpg.psql(self.plan.namespace(self.plan.database_role), database.cluster, database.database, text, timeout_seconds)

    def sql_text(self, name: str) -> str:
        """One SQL text of the profile."""
        return (INCLUDE / "sql" / self.environment.profile / f"{name}.sql").read_text(encoding="utf-8")

    def sql_change(self, name: str) -> None:
        """Runs a text of the profile that changes the sandbox database."""
        database = self.plan.environment.database
        self.cnpg.change(self.plan.namespace(self.plan.database_role), database.cluster, database.database, self.sql_text(name))

    # ---- evidence

    def key(self, *parts: str) -> str:
        """Key of something of this drill in the evidence store."""
        return "/".join(("drills", self.drill_id, *parts))

    def conclude(self, gathered: Iterable[Gathered], began_at: str | None = None) -> list[Judged]:
        """Record first, then judge: every record is stored before any check is asked."""
        stored = [(self._store(g, began_at or self.began_at)) for g in gathered]
        return [self._judge(*s) for s in stored]

    def _store(self, gathered: Gathered, began_at: str) -> tuple[Record, str, str, int]:
        captures = tuple(self._capture(name, asked, raw) for name, (asked, raw) in sorted(gathered.captures.items()))
        record = Record(
            kind=gathered.kind,
            subject=gathered.subject,
            drill_id=self.drill_id,
            task_id=self.task_id,
            attempt=self.attempt,
            recorded_at=now(),
            began_at=began_at,
            facts=None if gathered.facts is None else encode(gathered.facts),
            error=masked(gathered.error) if gathered.error else None,
            captures=captures,
        )
        data = records.encode(record)
        key = self.key("records", record.name)
        self.evidence.put(key, data)
        return record, key, canonical.sha256(data), len(data)

    def _capture(self, name: str, asked: str, raw: Any) -> Capture:
        data = known_masked(redaction.redact_answer(raw, salt=self.drill_id).decode()).encode()
        digest = canonical.sha256(data)
        self.evidence.put(self.key("captures", digest), data)
        return Capture(name, asked, digest, len(data))

    def _judge(self, record: Record, uri: str, sha256: str, size: int) -> Judged:
        checks = [c for c in catalogue.checks_of(record.kind) if catalogue.asked(c, self.plan)]
        if record.facts is None:
            results = [(c, inconclusive(c.question, record.error or "no facts")) for c in checks]
        elif checks:
            facts = catalogue.KINDS[record.kind].decode(record.facts)
            results = [(c, c.judge(facts, self.plan)) for c in checks]
        else:
            results = []
        return Judged(record, uri, sha256, size, tuple(results))

    def begin(self) -> None:
        """Marks that a task is tried again: should this attempt end without a record, an earlier one does not stand in its place.

        Raises RefusedError when the drill must not go on: stopped, torn down, or the lease is another's by now.
        """
        self.must_go_on()
        if self.attempt > 1:
            self.conclude([Gathered("attempt", AttemptFacts(self.task_id, self.attempt), self.task_id)])

    def must_go_on(self) -> None:
        """Before anything is touched: nobody stopped the drill, its sandbox was not removed, and it holds the lease (again)."""
        from dalp_dr_airflow import fence

        fence.must_go_on(self)
        if self.is_planned():
            fence.keep_lease(self)

    def records(self) -> list[Record]:
        """Every record of this drill so far, all attempts."""
        prefix = self.key("records") + "/"
        return [records.decode(self.evidence.get(key), key) for key in self.evidence.list(prefix)]

    def facts(self, kind: str, subject: str = "drill") -> Any:
        """Typed facts of the newest record of a kind. Raises FactError-like DrillError when there are none."""
        newest = max((r for r in self.records() if (r.kind, r.subject) == (kind, subject)), key=lambda r: r.attempt, default=None)
        if newest is None or newest.facts is None:
            why = f": {newest.error}" if newest else ""
            raise FactError(f"There are no {kind} facts of {subject}{why}.", "Clear the task that records them.")
        return catalogue.KINDS[kind].decode(newest.facts)
