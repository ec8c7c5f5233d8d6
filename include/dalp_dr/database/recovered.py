"""Facts and checks about the recovery run itself: did the right Cluster become healthy, and does it leave the archive alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.database import archive, listing, lsn, recovery, recovery_log
from dalp_dr.database.recovery_log import RecoveryLog
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan, utc


@dataclass(frozen=True)
class DatabaseRecovery:
    """The recovered Cluster as the API server tells it. `log` is None when nobody read the recovery pod's logs in time.

    `archive_writes`: keys written into the archive after the recovery began on a timeline that is not the source's;
    None when the archive was not listed again.
    """

    cluster: str
    namespace: str
    uid: str
    created_at: str
    phase: str
    instances: int
    ready_instances: int
    ready: str
    healthy_at: str | None
    image: str
    timeline: int | None
    system_id: str | None
    server_name: str | None
    recovery_target: dict[str, str]
    archivers: tuple[str, ...]
    backup_section: bool
    log: RecoveryLog | None
    archive_writes: tuple[str, ...] | None
    finished_at: str | None
    failure: str | None


def facts_from(
    plan: DrillPlan,
    cluster: Mapping[str, Any],
    logs: Mapping[str, str] | None,
    archive_rows_after: Iterable[Mapping[str, Any]] | None,
    finished_at: str | None = None,
    failure: str | None = None,
) -> DatabaseRecovery:
    """The facts of kind `database_recovery`, from the Cluster object, the logs and the archive listed again.

    `finished_at`: when the wait ended, clock of the worker; `failure`: what `recovery_log.cause_of_failure` said, if a pod failed.
    """
    metadata, spec, state = cluster["metadata"], cluster.get("spec") or {}, cluster.get("status") or {}
    ready: Mapping[str, Any] = next((c for c in state.get("conditions") or [] if c.get("type") == "Ready"), {})
    source: Mapping[str, Any] = next(iter(spec.get("externalClusters") or []), {})
    bootstrap = (spec.get("bootstrap") or {}).get("recovery") or {}
    return DatabaseRecovery(
        cluster=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata.get("uid", ""),
        created_at=metadata.get("creationTimestamp", ""),
        phase=state.get("phase") or "",
        instances=int(spec.get("instances") or 0),
        ready_instances=int(state.get("readyInstances") or 0),
        ready=str(ready.get("status", "Unknown")),
        healthy_at=ready.get("lastTransitionTime") if ready.get("status") == "True" else None,
        image=str(state.get("image") or ""),
        timeline=state.get("timelineID"),
        system_id=state.get("systemID"),
        server_name=((source.get("plugin") or {}).get("parameters") or {}).get("serverName"),
        recovery_target={k: str(v) for k, v in (bootstrap.get("recoveryTarget") or {}).items()},
        archivers=tuple(str(p.get("name")) for p in spec.get("plugins") or [] if p.get("enabled", True)),
        backup_section=bool(spec.get("backup")),
        log=recovery_log.read(logs) if logs is not None else None,
        archive_writes=_foreign(plan, archive_rows_after) if archive_rows_after is not None else None,
        finished_at=finished_at,
        failure=failure,
    )


def _foreign(plan: DrillPlan, rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Keys of younger timelines than the plan's, written after the drill was asked for."""
    if plan.database is None:
        return ()
    asked, found = utc(plan.asked_at), set()
    for key, versions in listing.by_key(rows).items():
        name = archive.bare(key.rsplit("/", 1)[-1])
        timeline = int(name[:8], 16) if lsn.is_segment(name) or name.endswith(".history") else 0
        if timeline > plan.database.window.timeline and any(v.last_modified >= asked for v in versions):
            found.add(key)
    return tuple(sorted(found))


def judge_recovered(facts: DatabaseRecovery, plan: DrillPlan) -> CheckResult:
    """The Cluster is healthy, and was asked for exactly the plan's recovery point of the plan's server."""
    database = plan.environment.database
    expected = f"Cluster {database.cluster} recovered from server {database.server_name} and healthy, 1 instance ready"
    findings = []
    if facts.phase != recovery.HEALTHY or facts.ready != "True" or facts.ready_instances != facts.instances or not facts.instances:
        findings += [facts.failure] if facts.failure else []
        findings.append(
            f"phase {facts.phase or 'none'!r}, {facts.ready_instances} of {facts.instances} instances ready, Ready={facts.ready}"
        )
    if facts.server_name != database.server_name:
        findings.append(f"recovered from server {facts.server_name}, not {database.server_name}")
    wanted = _wanted(plan)
    if facts.recovery_target != wanted:
        findings.append(f"recovery target {facts.recovery_target}, planned was {wanted}")
    if facts.cluster != database.cluster or facts.namespace != plan.namespace(plan.database_role):
        findings.append(f"Cluster {facts.namespace}/{facts.cluster} is not the drill's")
    return expect(
        not findings,
        expected,
        f"{facts.phase or 'no phase'} at {facts.healthy_at or 'no time'}, timeline {facts.timeline}"
        + (f"; an earlier attempt failed: {facts.failure}" if facts.failure else ""),
        findings,
    )


def _wanted(plan: DrillPlan) -> dict[str, str]:
    return dict(recovery.manifests(plan)[1]["spec"]["bootstrap"]["recovery"]["recoveryTarget"])


def judge_no_archiver(facts: DatabaseRecovery, plan: DrillPlan) -> CheckResult:
    """The copy does not archive: none configured, and the bucket shows no key of a younger timeline.

    `pg_stat_archiver` and the condition ContinuousArchiving prove nothing here: both claim success without an archiver.
    """
    expected = "no archiver on the recovered cluster, and no key of its timeline in the archive"
    findings = [f"plugin {name} is configured" for name in facts.archivers]
    findings += ["a backup section is configured"] if facts.backup_section else []
    findings += [f"{key} was written during the drill" for key in facts.archive_writes or ()]
    if findings:
        return failed(expected, f"{len(findings)} findings", findings)
    if facts.archive_writes is None:
        return inconclusive(expected, "no archiver configured; the archive was not listed again")
    return expect(True, expected, "no archiver configured, archive listed again: nothing written")
