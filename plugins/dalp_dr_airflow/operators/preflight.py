"""The preflight stage: may we start? Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dalp_dr.database import facts as database_facts
from dalp_dr.database import wal, wal_links
from dalp_dr.dossier import Dossier
from dalp_dr.errors import FactError
from dalp_dr.isolation import capacity, guard, privileges
from dalp_dr.kubernetes_resources import backups, server, volumes
from dalp_dr.model.check import Stage, Surface, Verdict
from dalp_dr.model.plan import DrillPlan, utc
from dalp_dr.object_storage import facts as object_facts
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.errors import DrillRefusedError
from dalp_dr_airflow.hooks.connections import endpoint
from dalp_dr_airflow.hooks.errors import Missing
from dalp_dr_airflow.hooks.kubernetes_paths import collection
from dalp_dr_airflow.hooks.s3 import write_attempt
from dalp_dr_airflow.operators.archive import archive_at
from dalp_dr_airflow.operators.archive_after import listed_before
from dalp_dr_airflow.operators.base import DrillOperator, attempt, skip_dry_run
from dalp_dr_airflow.operators.velero import await_idle
from dalp_dr_airflow.progress import Progress

if TYPE_CHECKING:
    from airflow.sdk import Context


SYNC_SECONDS = 120  # Velero looks once a minute for backups that others put into the bucket
QUESTIONS_AT_ONCE = 8  # several hundred access reviews; one after another they cost a quarter of a minute


class SafetyCheckOperator(DrillOperator):
    """Guard, least privilege and capacity: would this drill be safe and is there room for it?"""

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("guard", lambda: self.guard(drill))
        yield attempt("privileges", lambda: self.privileges(drill))
        yield attempt("capacity", lambda: self.capacity(drill))
        yield attempt("velero_load", lambda: self.velero(drill))

    @staticmethod
    def guard(drill: Drill) -> Gathered:
        existing = []
        for role in drill.plan.roles:
            try:
                existing.append(drill.sandbox.get(f"/api/v1/namespaces/{drill.plan.namespace(role)}"))
            except Missing:
                continue
        system = "/api/v1/namespaces/kube-system"
        names = drill.environment.connections
        stores = guard.places(
            drill.plan.environment, {c: endpoint(c) for c in (names.evidence_store, names.backup_store, names.object_storage)}
        )
        source, beside = None, None
        if drill.source_lost:
            beside = [n.name for n in drill.plan.environment.source.namespaces if exists(drill, n.name)]
        else:
            source = drill.source.get(system)
        return Gathered("guard", guard.facts_from(drill.plan, source, drill.sandbox.get(system), existing, stores, beside))

    @staticmethod
    def velero(drill: Drill) -> Gathered:
        """Waits for others' restores and backups, as long as the environment says; never disturbs them."""
        return Gathered("velero_load", await_idle(drill, with_backups=True))

    @staticmethod
    def privileges(drill: Drill) -> Gathered:
        lost = drill.source_lost
        hooks: dict[str, Any] = {"drill": drill.sandbox} | ({} if lost else {"source-reader": drill.source})
        wanted = (*privileges.needed(drill.environment, source_lost=lost), *privileges.forbidden(drill.environment, lost))

        def ask(a: privileges.Access) -> tuple[privileges.Access, dict[str, Any]]:
            place = (a.namespace or None, a.name or None, a.subresource or None)
            return a, hooks[a.identity].access_review(a.verb, a.group, a.resource, *place)

        with ThreadPoolExecutor(max_workers=QUESTIONS_AT_ONCE) as pool:
            answers = list(pool.map(ask, wanted))
        forged = [(f.name, *drill.sandbox.dry_run_create(f.manifest)) for f in privileges.forged(drill.environment, drill.plan)]
        stores = [write_attempt(connection, bucket) for connection, bucket in privileges.stores(drill.environment)]
        return Gathered("privileges", privileges.facts_from(answers, forged, stores))

    @staticmethod
    def capacity(drill: Drill) -> Gathered:
        return Gathered("capacity", capacity_facts(drill, drill.plan))


def exists(drill: Drill, namespace: str) -> bool:
    """Whether the sandbox's cluster has a namespace."""
    try:
        drill.sandbox.get(f"/api/v1/namespaces/{namespace}")
    except Missing:
        return False
    return True


def capacity_facts(drill: Drill, plan: DrillPlan) -> capacity.Capacity:
    """What the cluster has free and what this drill needs."""
    names = sorted(n.name for n in plan.environment.source.namespaces)
    pods = drill.sandbox.list("/api/v1/pods")
    if drill.source_lost:
        kept = [drill.backup_store.backup_contents(b.backup) for b in plan.backups]
        pod, claim = capacity.of_database(plan)
        source_pods = [pod, *(p for c in kept for p in c.get("pods", {}).values())]
        claims = [claim, *(v for c in kept for v in c.get("persistentvolumeclaims", {}).values())]
    else:
        source_pods = [p for n in names for p in drill.source.list(f"/api/v1/namespaces/{n}/pods")]
        claims = [c for n in names for c in drill.source.list(f"/api/v1/namespaces/{n}/persistentvolumeclaims")]
    return capacity.facts_from(plan, drill.sandbox.list("/api/v1/nodes"), pods, source_pods, claims, None)


class BackupCheckOperator(DrillOperator):
    """The chosen Velero backup of every covered namespace, its location and its schedule."""

    def in_scope(self, drill: Drill) -> bool:
        return bool(drill.plan.covered_roles)

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("velero", lambda: self.velero(drill))
        for role in drill.plan.covered_roles:
            yield attempt("backup", lambda r=role: self.one(drill, r), role)  # type: ignore[misc]

    @staticmethod
    def velero(drill: Drill) -> Gathered:
        return Gathered("velero", server.facts_from(*drill.velero.server()))

    @staticmethod
    def one(drill: Drill, role: str) -> Gathered:
        source = drill.plan.environment.source.namespace(role)
        listed = drill.backups()
        point = next((b for b in drill.plan.backups if b.role == role), None)
        known = [] if drill.source_lost else drill.velero.schedules()  # they were lost with the cluster
        schedule = next((s for s in known if s["metadata"]["name"] == source.schedule), None)
        location = drill.velero.backup_location(drill.plan.environment.source.backup_location)
        status: dict[str, Any] = {}
        resources: dict[str, list[str]] = {}
        info: list[dict[str, Any]] = []
        if point:
            status = drill.velero.known_backup(point.backup, SYNC_SECONDS).get("status") or {}
            resources = drill.backup_store.backup_resource_list(point.backup)
            info = drill.backup_store.backup_volumeinfo(point.backup)
        database = drill.plan.environment.database
        pods = None if drill.source_lost else drill.source.list(collection("v1", "pods", source.name))
        pods = None if pods is None else backups.living_pods(pods, database.cluster if source.name == database.namespace else None)
        claims = volumes.claims(resources.get("v1/PersistentVolumeClaim", ()), source.name)
        facts = backups.BackupFacts(
            role=role,
            namespace=source.name,
            schedule=source.schedule,
            found=point,
            phase=status.get("phase"),
            errors=status.get("errors", 0),
            warnings=status.get("warnings", 0),
            items=(status.get("progress") or {}).get("itemsBackedUp", 0),
            items_listed=sum(map(len, resources.values())),
            newer_failed=backups.newer_failed(listed, source, point, utc(drill.plan.incident_time)),
            location_phase=(location.get("status") or {}).get("phase", ""),
            location_mode=location["spec"].get("accessMode") or "ReadWrite",
            schedule_phase=None if schedule is None else (schedule.get("status") or {}).get("phase", ""),
            schedule_paused=bool((schedule or {}).get("spec", {}).get("paused")),
            volumes=backups.volumes(needing_data(drill, source.name, claims), info, source.name),
            server_version=drill.velero.server_version(),
            pods=None if pods is None else len(pods),
            pods_left_out=None if pods is None or schedule is None else backups.left_out(pods, schedule),
        )
        asked = f"kubernetes: backups.velero.io {drill.environment.source.velero_namespace}/{point.backup if point else source.schedule}"
        return Gathered("backup", facts, role, captures={"backup": (asked, {"status": status, "volumes": info})})


def needing_data(drill: Drill, namespace: str, listed: tuple[str, ...]) -> tuple[str, ...]:
    """Claims that must have data: those the backup lists, less those of the database, which has its own recovery."""
    cluster = drill.plan.environment.database.cluster
    own = namespace == drill.plan.environment.database.namespace
    return tuple(c for c in listed if not (own and (c == cluster or c.startswith(f"{cluster}-"))))


class ArchiveCheckOperator(DrillOperator):
    """The WAL archive as it was at the incident time, and the recovery target inside it."""

    surface = Surface.DATABASE

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("wal_archive", lambda: self.archive(drill))
        yield attempt("restore_target", lambda: self.target(drill))
        yield attempt("wal_links", lambda: self.links(drill))
        yield attempt("archive_before", lambda: listed_before(drill))

    @staticmethod
    def archive(drill: Drill) -> Gathered:
        database = drill.plan.environment.database
        if drill.source_lost:  # the source's own Backup objects went with it; the archive speaks for itself
            return Gathered("wal_archive", database_facts.wal_archive(archive_at(drill, drill.plan.incident_time), None, None))
        base = f"/apis/postgresql.cnpg.io/v1/namespaces/{database.namespace}"
        own = [b for b in drill.source.list(f"{base}/backups") if b["spec"]["cluster"]["name"] == database.cluster]
        known = tuple(sorted(b["status"]["backupId"] for b in own if (b.get("status") or {}).get("backupId")))
        timeline = (drill.source.get(f"{base}/clusters/{database.cluster}").get("status") or {}).get("timelineID")
        return Gathered("wal_archive", database_facts.wal_archive(archive_at(drill, drill.plan.incident_time), known, timeline))

    def links(self, drill: Drill) -> Gathered:
        found = archive_at(drill, drill.plan.incident_time)
        progress = Progress(self.log, "WAL links", wal_links.SEGMENTS_AT_MOST * found.segment_bytes, "MB", 1024**2)
        return Gathered("wal_links", database_facts.wal_links(drill.plan, found, drill.catalog.read, progress.step))

    @staticmethod
    def target(drill: Drill) -> Gathered:
        if drill.plan.database is None:
            raise FactError("The plan has no recovery point of the database.", "Read why in the plan task's log.")
        found = archive_at(drill, drill.plan.incident_time)
        return Gathered("restore_target", database_facts.restore_target(drill.plan, found, wal.last_commit(found, drill.catalog.read)))


class BucketProtectionOperator(DrillOperator):
    """Versioning and the horizon of noncurrent versions of every document bucket."""

    surface = Surface.OBJECT_STORAGE

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        return [
            attempt("bucket_protection", lambda n=b.name: self.one(drill, n), b.name)  # type: ignore[misc]
            for b in drill.plan.environment.object_storage
        ]

    @staticmethod
    def one(drill: Drill, bucket: str) -> Gathered:
        protection = drill.objects.protection(bucket)
        facts = object_facts.bucket_protection(drill.plan, bucket, protection["versioning"], protection["lifecycle"])
        return Gathered("bucket_protection", facts, bucket, captures={"protection": (f"s3: protection of {bucket}", protection)})


class PreflightGateOperator(DrillOperator):
    """Reads what preflight recorded. Raises DrillRefusedError when a check that refuses did not pass."""

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        return []

    def execute(self, context: Context) -> list[dict[str, Any]]:
        skip_dry_run(context)
        drill = Drill.open(context)
        reasons = refusals(drill.plan, drill)
        if reasons:
            raise DrillRefusedError("The drill may not start: " + "; ".join(reasons))
        self.log.info("Preflight found no reason to refuse.")
        return []


def refusals(plan: DrillPlan, drill: Drill) -> list[str]:
    """Why the drill may not start: every refusing check of preflight that did not pass, with what was observed."""
    outcomes = Dossier(plan, tuple(drill.records())).outcomes()
    return [
        f"{o.check.id} ({o.subject}): {o.result.observed}"
        for o in outcomes
        if o.check.refuses and o.check.stage is Stage.PREFLIGHT and o.result.verdict is not Verdict.PASS
    ]
