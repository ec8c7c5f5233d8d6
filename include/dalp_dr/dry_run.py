"""Says what a drill would do and what it would cost, from its plan alone; nothing is created."""

from __future__ import annotations

from collections.abc import Iterable

from dalp_dr.isolation.capacity import Capacity
from dalp_dr.model.plan import DrillPlan

SEGMENT_BYTES = 16 * 2**20
RECOVERY_SECONDS, PER_SEGMENT_SECONDS, RESTORE_SECONDS, CHECK_SECONDS = 60, 1.4, 30, 60  # measured on two cores, tiny data


def lines(plan: DrillPlan, capacity: Capacity, base_backup_bytes: int, volume_bytes: int) -> Iterable[str]:
    """One line a fact: window, recovery points, what would be created where, and the cost in resources, bytes and time."""
    yield f"Drill {plan.drill_id} of environment {plan.environment.name} ({plan.environment_digest[:12]}), {', '.join(plan.surfaces)}"
    database = plan.database
    if database is None:
        yield "Database: NO recovery point; preflight would refuse."
    else:
        window = database.window
        yield (
            f"Recoverable window: {window.earliest} to {window.latest} (timeline {window.timeline}, {window.base_backups} base "
            f"backups, {window.segments} segments)"
        )
        yield (
            f"Database: to {database.target_time} ({database.target_lsn or 'by time'}) from base backup {database.backup_id}, "
            f"{database.replay_segments} segments to replay"
        )
    for backup in plan.backups:
        yield f"Namespace {backup.namespace}: backup {backup.backup} of {backup.started_at} into {plan.namespace(backup.role)}"
    for role in sorted(set(plan.covered_roles) - {b.role for b in plan.backups}):
        yield f"Namespace role {role}: NO usable backup; preflight would refuse."
    yield f"Object versions: {', '.join(b.name for b in plan.environment.object_storage)} as of {plan.objects.at}"
    yield f"Configuration: commit {plan.configuration.commit if plan.configuration else 'NONE'}"
    yield (
        f"Would create: namespaces {', '.join(plan.namespace(r) for r in plan.roles)}; {len(plan.covered_roles)} Restores and "
        f"{2 * len(plan.covered_roles)} ConfigMaps in {plan.environment.source.velero_namespace}; one Cluster; removed afterwards"
    )
    cpu, memory, pods, disk = (sum(getattr(n, f) for n in capacity.needs) for f in ("cpu_millicores", "memory_bytes", "pods", "disk_bytes"))
    yield (
        f"Needs: {cpu}m CPU, {memory // 2**20} MiB memory, {pods} pods, {disk // 2**20} MiB of volumes; "
        f"free: {capacity.allocatable_millicores - capacity.requested_millicores}m CPU, "
        f"{(capacity.allocatable_bytes - capacity.requested_bytes) // 2**20} MiB, {capacity.allocatable_pods - capacity.running_pods} pods"
    )
    segments = database.replay_segments if database else 0
    yield (
        f"Reads from buckets: about {(base_backup_bytes + volume_bytes) // 2**20} MiB and {segments} WAL segments of at most "
        f"{SEGMENT_BYTES // 2**20} MiB, in about {segments + 40} requests"
    )
    seconds = RECOVERY_SECONDS + PER_SEGMENT_SECONDS * segments + RESTORE_SECONDS * len(plan.covered_roles) + CHECK_SECONDS
    yield f"Time: about {seconds / 60:.0f} minutes on small data; large data is bound by the store and the recovery pod's CPU"
