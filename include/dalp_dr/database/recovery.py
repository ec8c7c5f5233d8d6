"""The recovery of the database in the sandbox: what is created, and how it stands."""

from __future__ import annotations

from typing import Any

from dalp_dr import naming
from dalp_dr.database import recovery_log
from dalp_dr.errors import RefusedError
from dalp_dr.isolation.sandbox import ARCHIVE_SECRET
from dalp_dr.model.plan import DatabasePoint, DrillPlan
from dalp_dr.model.status import Done, Failed, Status, Waiting

OBJECT_STORE = "dalp-dr-archive"
PLUGIN = "barman-cloud.cloudnative-pg.io"
EXTERNAL_CLUSTER = "archive"
CONTAINERS = recovery_log.CONTAINERS
PARALLEL_SEGMENTS = 4
OPERATOR_SECRETS = ("app", "superuser", "ca", "server", "replication")  # <cluster>-<suffix>: made anew with every cluster

HEALTHY = "Cluster in healthy state"
HOPELESS = {
    "Cluster is unrecoverable and needs manual intervention",
    "Cluster cannot proceed to reconciliation due to an unknown plugin being required",
    "Invalid cluster definition",
    "Cluster has incomplete or invalid image catalog",
}


def manifests(plan: DrillPlan) -> list[dict[str, Any]]:
    """The ObjectStore and the Cluster, in the order of creation. Raises RefusedError when the plan has no recovery point."""
    if plan.database is None:
        raise RefusedError("The plan has no recovery point of the database.", "Choose the surface `database`.")
    return [_object_store(plan), _cluster(plan, plan.database)]


def _metadata(plan: DrillPlan, name: str) -> dict[str, Any]:
    return {"name": name, "namespace": plan.namespace(plan.database_role), "labels": naming.labels(plan.drill_id, plan.environment.name)}


def _object_store(plan: DrillPlan) -> dict[str, Any]:
    """Where the archive is read from: a read-only key, and no retention policy, which would delete."""
    database = plan.environment.database
    path = "/".join(p for p in (database.archive_bucket, database.archive_prefix.strip("/")) if p)
    configuration: dict[str, Any] = {
        "destinationPath": f"s3://{path}",
        "s3Credentials": {
            "accessKeyId": {"name": ARCHIVE_SECRET, "key": "ACCESS_KEY_ID"},
            "secretAccessKey": {"name": ARCHIVE_SECRET, "key": "ACCESS_SECRET_KEY"},
        },
        "wal": {"maxParallel": PARALLEL_SEGMENTS},
    }
    if database.archive_endpoint:
        configuration["endpointURL"] = database.archive_endpoint
    checksums = [
        {"name": f"AWS_{way}_CHECKSUM_{what}", "value": "when_required"}
        for way, what in (("REQUEST", "CALCULATION"), ("RESPONSE", "VALIDATION"))
    ]
    return {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": _metadata(plan, OBJECT_STORE),
        "spec": {"configuration": configuration, "instanceSidecarConfiguration": {"env": checksums}},
    }


def _cluster(plan: DrillPlan, point: DatabasePoint) -> dict[str, Any]:
    """The source's name, so that its services resolve unchanged; no plugins and no backup, so that nothing is archived.

    `backupID` is given always, so that a base backup which appears meanwhile is never chosen.
    """
    database = plan.environment.database
    target = {"targetLSN": point.target_lsn} if point.target_lsn else {"targetTime": point.target_time}
    target |= {"backupID": point.backup_id, "targetTLI": str(point.window.timeline)}
    spec: dict[str, Any] = {
        "instances": 1,
        "imageName": database.image,
        "imagePullPolicy": "IfNotPresent",
        "postgresUID": database.postgres_uid,
        "postgresGID": database.postgres_gid,
        "priorityClassName": plan.environment.sandbox.priority_class,
        "inheritedMetadata": {"labels": naming.labels(plan.drill_id, plan.environment.name)},
        "storage": {"size": database.storage},
        "postgresql": {"parameters": dict(database.parameters)},
        "bootstrap": {
            "recovery": {"source": EXTERNAL_CLUSTER, "database": database.database, "owner": database.owner, "recoveryTarget": target}
        },
        "externalClusters": [
            {
                "name": EXTERNAL_CLUSTER,
                "plugin": {"name": PLUGIN, "parameters": {"barmanObjectName": OBJECT_STORE, "serverName": database.server_name}},
            }
        ],
    }
    return {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": _metadata(plan, database.cluster), "spec": spec}


def status(cluster: dict[str, Any] | None, pods: list[dict[str, Any]]) -> Status:
    """How the recovery stands. `Failed` at the first failed recovery pod, minutes before the operator gives up.

    Done only when the phase is healthy, every instance is ready and the condition Ready is true.
    """
    if cluster is None:
        return Waiting("Cluster not created yet", 0, 4)
    name, state = cluster["metadata"]["name"], cluster.get("status") or {}
    phase, ready = state.get("phase") or "no phase", state.get("readyInstances") or 0
    if phase in HOPELESS:
        return Failed(f"Cluster {name}: {phase}: {state.get('phaseReason') or 'no reason given'}")
    if failed := failed_pod(pods):
        return Failed(f"recovery pod {failed} of Cluster {name} failed")
    wanted = (cluster.get("spec") or {}).get("instances", 1)
    if phase == HEALTHY and ready == wanted and _condition(state, "Ready") == "True":
        return Done({"phase": phase, "ready_instances": ready, "timeline": state.get("timelineID"), "primary": state.get("currentPrimary")})
    done, what = _step(pods)
    return Waiting(f"Cluster {name}: {phase}; {what}", done, 4)


def _condition(state: dict[str, Any], kind: str) -> str:
    return next((str(c.get("status")) for c in state.get("conditions") or [] if c.get("type") == kind), "Unknown")


def failed_pod(pods: list[dict[str, Any]]) -> str | None:
    """Name of the first failed recovery pod."""
    failed = [p for p in pods if _is_recovery(p) and (p.get("status") or {}).get("phase") == "Failed"]
    return min(failed, key=lambda p: p["metadata"].get("creationTimestamp") or "")["metadata"]["name"] if failed else None


def _is_recovery(pod: dict[str, Any]) -> bool:
    return "cnpg.io/jobRole" in (pod["metadata"].get("labels") or {})


def _step(pods: list[dict[str, Any]]) -> tuple[int, str]:
    instances = [p for p in pods if not _is_recovery(p)]
    if instances:
        return 3, f"recovered, instance {instances[0]['metadata']['name']} {_state(instances[0])}"
    jobs = [p for p in pods if _is_recovery(p)]
    if not jobs:
        return 1, "no recovery pod yet"
    newest = max(jobs, key=lambda p: p["metadata"].get("creationTimestamp") or "")
    return 2, f"recovery pod {newest['metadata']['name']} {_state(newest)}"


def _state(pod: dict[str, Any]) -> str:
    """The pod's phase, with what holds it up where Kubernetes says so."""
    state = pod.get("status") or {}
    containers = [*(state.get("initContainerStatuses") or []), *(state.get("containerStatuses") or [])]
    waits = {
        w["reason"] for c in containers if (w := (c.get("state") or {}).get("waiting")) and w.get("reason") not in (None, "PodInitializing")
    }
    waits |= {
        f"{c.get('reason')}: {c.get('message')}"
        for c in state.get("conditions") or []
        if c.get("type") == "PodScheduled" and c.get("status") == "False"
    }
    return f"{state.get('phase') or 'unknown'}{' (' + '; '.join(sorted(waits)) + ')' if waits else ''}"
