"""The watch between drills: each task reads one surface of production and records it; the last one says how it stands."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml
from airflow.sdk import BaseOperator

from dalp_dr.errors import FactError
from dalp_dr.evidence import canonical, ledger, records
from dalp_dr.kubernetes_resources import volumes
from dalp_dr.kubernetes_resources.backups import volumes as of_claims
from dalp_dr.model.check import Verdict
from dalp_dr.model.plan import utc
from dalp_dr.planning import choose_backups
from dalp_dr.posture import coverage, database, escrow, history, schedules, standing
from dalp_dr_airflow.drill import Gathered
from dalp_dr_airflow.errors import CheckFailedError, CheckInconclusiveError
from dalp_dr_airflow.hooks.kubernetes_paths import collection
from dalp_dr_airflow.hooks.s3 import S3Access
from dalp_dr_airflow.operators.base import attempt, show
from dalp_dr_airflow.operators.configuration import release
from dalp_dr_airflow.operators.preflight import ArchiveCheckOperator, BackupCheckOperator, BucketProtectionOperator, needing_data
from dalp_dr_airflow.watch import Watch

if TYPE_CHECKING:
    from airflow.sdk import Context

DRILLS_LOOKED_AT = 12
SNAPSHOTS = "snapshot.storage.k8s.io"
COVERED = (  # what the reader of production may list
    ("v1", ("pods", "services", "configmaps", "persistentvolumeclaims", "serviceaccounts")),
    ("apps/v1", ("deployments", "statefulsets", "daemonsets")),
    ("batch/v1", ("cronjobs", "jobs")),
    ("networking.k8s.io/v1", ("ingresses", "networkpolicies")),
    ("policy/v1", ("poddisruptionbudgets",)),
)


class PostureOperator(BaseOperator):
    """Base of the reading tasks. Red when a check did not pass and no declared deviation covers it.

    :param environment: name of the environment file.
    """

    def __init__(self, *, environment: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.environment = environment

    @abstractmethod
    def gather(self, watch: Watch) -> Iterable[Gathered]:
        """The facts, one `Gathered` a subject; each part that may fail alone through `attempt`."""

    def execute(self, context: Context) -> list[str]:
        watch = Watch.look(context, self.environment)
        judged = watch.conclude(self.gather(watch))
        for item in judged:
            show(item)
        found = standing.rows([j.record for j in judged], watch.plan)
        own = {(j.record.kind, j.record.subject) for j in judged}
        asked = {(c.id, j.record.subject) for j in judged for c, _ in j.results}
        raise_unless_passed([r for r in found if (r.check, r.subject) in asked], bool(own))
        return [j.uri for j in judged]


def raise_unless_passed(found: list[standing.Row], recorded: bool = True) -> None:
    """CheckFailedError or CheckInconclusiveError with every row that counts."""
    worst = standing.verdict(found) if recorded else Verdict.INCONCLUSIVE
    if worst is Verdict.PASS:
        return
    ordered = sorted((r for r in found if r.counts is not Verdict.PASS), key=lambda r: -r.counts.rank)
    bad = [f"{r.check} ({r.subject}): {'; '.join(r.findings) or r.observed}" for r in ordered]
    text = "; ".join(bad)[:1500] or "nothing was recorded"
    raise (CheckFailedError if worst is Verdict.FAIL else CheckInconclusiveError)(text)


class DatabasePostureOperator(PostureOperator):
    """WAL shipping, base backups, retention, lag, second writers, and the window that can be recovered now."""

    def gather(self, watch: Watch) -> Iterable[Gathered]:
        name = watch.environment.database.cluster
        archive = attempt("wal_archive", lambda: ArchiveCheckOperator.archive(watch), name)
        yield attempt("database_protection", lambda: self.protection(watch), name)
        yield Gathered("wal_archive", archive.facts, name, archive.error)
        yield attempt("recoverable_window", lambda: self.window(watch, archive), name)

    @staticmethod
    def protection(watch: Watch) -> Gathered:
        settings = watch.environment.database
        cluster = watch.source.get(f"{_database(watch, 'clusters')}/{settings.cluster}")
        stores = watch.source.list(collection("barmancloud.cnpg.io/v1", "objectstores", settings.namespace))
        facts = database.protection(watch.environment, cluster, watch.source.list(_database(watch, "scheduledbackups")), stores)
        return Gathered("database_protection", facts, settings.cluster)

    @staticmethod
    def window(watch: Watch, archive: Gathered) -> Gathered:
        name = watch.environment.database.cluster
        if archive.facts is None:
            return Gathered("recoverable_window", None, name, archive.error)
        created = watch.source.get(f"{_database(watch, 'clusters')}/{name}")["metadata"]["creationTimestamp"]
        return Gathered("recoverable_window", database.window(archive.facts, created), name)


def _database(watch: Watch, plural: str) -> str:
    return collection("postgresql.cnpg.io/v1", plural, watch.environment.database.namespace)


class ResourcePostureOperator(PostureOperator):
    """Schedules, location, backups, label coverage and volumes of one namespace.

    :param role: the namespace's role.
    """

    def __init__(self, *, role: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.role = role

    def gather(self, watch: Watch) -> Iterable[Gathered]:
        yield attempt("resource_backups", lambda: self.backups(watch), self.role)
        yield attempt("backup", lambda: self.newest(watch), self.role)
        yield attempt("coverage", lambda: self.coverage(watch), self.role)

    def backups(self, watch: Watch) -> Gathered:
        location = watch.velero.backup_location(watch.environment.source.backup_location)
        installed = release(watch, self.role)
        found = (watch.velero.schedules(), watch.velero.backups(), location, installed)
        return Gathered("resource_backups", schedules.facts_from(watch.environment, self.role, *found, watch.plan.incident_time), self.role)

    def newest(self, watch: Watch) -> Gathered:
        chosen = choose_backups(watch.environment, watch.velero.backups(), watch.plan.incident_time)
        watch.plan = replace(watch.plan, backups=chosen)
        gathered = BackupCheckOperator.one(watch, self.role)
        return Gathered("backup", gathered.facts, self.role, gathered.error)

    def coverage(self, watch: Watch) -> Gathered:
        source = watch.environment.source.namespace(self.role)
        backups = schedules.facts_from(
            watch.environment,
            self.role,
            watch.velero.schedules(),
            watch.velero.backups(),
            watch.velero.backup_location(watch.environment.source.backup_location),
            release(watch, self.role),
            watch.plan.incident_time,
        )
        listed = watch.backup_store.backup_resource_list(backups.newest_backup) if backups.newest_backup else {}
        live = [
            o for version, plurals in COVERED for plural in plurals for o in watch.source.list(collection(version, plural, source.name))
        ]
        facts = coverage.facts_from(
            watch.environment,
            self.role,
            backups.newest_backup,
            [s.selector for s in backups.schedules],
            live,
            listed,
            self.volumes(watch, backups.newest_backup, listed),
            storage(watch),
            (backups.settings or {}).get("includeAllPVCs"),
        )
        return Gathered("coverage", facts, self.role)

    def volumes(self, watch: Watch, backup: str | None, listed: Mapping[str, list[str]]) -> tuple[Any, ...]:
        """How the newest backup holds each claim but the database's."""
        name = watch.environment.source.namespace(self.role).name
        claims = needing_data(watch, name, volumes.claims(listed.get("v1/PersistentVolumeClaim", ()), name))
        return of_claims(claims, watch.backup_store.backup_volumeinfo(backup) if backup else (), name)


def storage(watch: Watch) -> dict[str, Any]:
    """Provisioner of each storage class, names of the CSI drivers, and whether the VolumeSnapshot API is there."""
    classes = {c["metadata"]["name"]: c["provisioner"] for c in watch.source.list(collection("storage.k8s.io/v1", "storageclasses"))}
    drivers = {d["metadata"]["name"] for d in watch.source.list(collection("storage.k8s.io/v1", "csidrivers"))}
    groups = {g["name"] for g in watch.source.get("/apis")["groups"]}  # discovery: everybody who is logged in may ask
    return {"classes": classes, "drivers": drivers, "snapshots": SNAPSHOTS in groups}


class ObjectPostureOperator(PostureOperator):
    """Versioning and noncurrent expiry of every document bucket."""

    def gather(self, watch: Watch) -> Iterable[Gathered]:
        return [
            attempt("bucket_protection", lambda n=b.name: BucketProtectionOperator.one(watch, n), b.name)  # type: ignore[misc]
            for b in watch.environment.object_storage
        ]


class ConfigurationPostureOperator(PostureOperator):
    """Git answers, and holds what is installed."""

    def gather(self, watch: Watch) -> Iterable[Gathered]:
        yield attempt("configuration_history", lambda: self.configuration(watch), watch.environment.configuration.branch)

    @staticmethod
    def configuration(watch: Watch) -> Gathered:
        settings = watch.environment.configuration
        point = watch.configuration.commit_at(watch.plan.incident_time, settings.branch)
        roles = [n.role for n in watch.environment.source.namespaces]
        values = {r: yaml.safe_load(watch.configuration.read(point.commit, settings.values[r])) for r in roles} if point else {}
        facts = history.configuration(watch.environment, point, {r: release(watch, r) for r in roles}, values)
        return Gathered("configuration_history", facts, settings.branch)


class EscrowPostureOperator(PostureOperator):
    """The escrow of production's Secrets is there, sealed and of today. It is not opened: the watch holds no key to it."""

    def gather(self, watch: Watch) -> Iterable[Gathered]:
        yield attempt("escrow_reading", lambda: self.escrow(watch), "escrow")

    @staticmethod
    def escrow(watch: Watch) -> Gathered:
        place, store = watch.environment.escrow, S3Access(watch.environment.connections.escrow)
        if place is None:
            raise FactError("The environment names no escrow.", "Set escrow: docs/how-to/annual-test.md.")
        current = escrow.newest(place, store.versions(place.bucket, place.key))
        head = store.read(place.bucket, place.key, current.version_id)[: escrow.HEAD_BYTES] if current else b""
        return Gathered("escrow_reading", escrow.facts_from(place, current, head), "escrow")


class DrillPostureOperator(PostureOperator):
    """Drills of the ledger against the calendar, and the claim that stands. Reads only: a posture earns no claim."""

    def gather(self, watch: Watch) -> Iterable[Gathered]:
        yield attempt("drill_history", lambda: self.drills(watch), standing.DRILLS)

    @staticmethod
    def drills(watch: Watch) -> Gathered:
        name = watch.environment.name
        facts = history.drills(watch.environment, held(watch), claim(watch, name), utc(watch.plan.incident_time))
        return Gathered("drill_history", facts, standing.DRILLS)


def held(watch: Watch) -> tuple[history.HeldDrill, ...]:
    """The newest drills of this environment in the ledger, with what was decided."""
    keys = watch.evidence.list(ledger.PREFIX)
    openings = [k for k in keys if k.endswith("-opening.json")][::-1]
    found: list[history.HeldDrill] = []
    for key in openings:
        entry = ledger.read(watch.evidence, key)
        if entry.payload.get("environment") not in (None, watch.environment.name):
            continue
        plan = records.decode_plan(watch.evidence.get(f"drills/{entry.drill_id}/plan.json"))
        closings = [k for k in keys for kind in ledger.CLOSING if k.endswith(f"-{entry.drill_id}-{kind}.json")]
        last = ledger.read(watch.evidence, closings[-1]) if closings else None
        decision = None if last is None else str(last.payload.get("decision") or last.kind)
        found.append(history.HeldDrill(entry.drill_id, plan.asked_at, plan.full, decision))
        if len(found) >= DRILLS_LOOKED_AT:
            break
    return tuple(found)


def claim(watch: Watch, environment: str) -> dict[str, Any] | None:
    """What the claims workflow last wrote into the evidence store, None where it never ran."""
    written = watch.evidence.list(f"claims/{environment}/")
    return dict(canonical.loads(watch.evidence.get(written[-1]), written[-1])) if written else None
