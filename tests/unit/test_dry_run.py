"""A dry run says what would be read, made and used, and what would be refused."""

from __future__ import annotations

from dataclasses import replace

from dalp_dr import dry_run
from dalp_dr.isolation.capacity import Capacity, RoleNeed
from dalp_dr.model.check import Surface
from dalp_dr.model.plan import DrillPlan
from velero_sample import PLAN

MIB = 2**20
NEEDS = tuple(RoleNeed(role, 200, 256 * MIB, 4, 1024 * MIB) for role in PLAN.roles)
CAPACITY = Capacity(1, 4000, 8192 * MIB, 110, 1500, 2048 * MIB, 30, None, NEEDS, 4000, 6144 * MIB, 40)


def told(plan: DrillPlan = PLAN, base: int = 100 * MIB, volumes: int = 20 * MIB) -> str:
    return "\n".join(dry_run.lines(plan, CAPACITY, base, volumes))


def test_a_whole_drill() -> None:
    text = told()
    assert text.startswith(f"Drill {PLAN.drill_id} of environment lab ({PLAN.environment_digest[:12]}), database, kubernetes_resources")
    for fact in (
        "Recoverable window: 2026-09-06T02:00:00Z to 2026-10-06T05:59:30Z (timeline 1, 30 base backups, 400 segments)",
        "Database: to 2026-10-06T05:59:30.000000Z (0/4FFFF00) from base backup 20261006T020000, 12 segments to replay",
        f"Namespace dalp-support: backup dalp-support-4h-20261006020000 of 2026-10-06T02:00:01Z into {PLAN.namespace('support')}",
        "Object versions: dalp-documents as of 2026-10-06T06:00:00Z",
        f"Configuration: commit {'a' * 40}",
        "3 Restores and 6 ConfigMaps in velero; one Cluster; removed afterwards",
        "Needs: 600m CPU, 768 MiB memory, 12 pods, 3072 MiB of volumes; free: 2500m CPU, 6144 MiB, 80 pods",
        "Reads from buckets: about 120 MiB and 12 WAL segments of at most 16 MiB, in about 52 requests",
    ):
        assert fact in text
    assert all(PLAN.namespace(role) in text for role in PLAN.roles)
    assert "refuse" not in text


def test_what_preflight_would_refuse_is_told() -> None:
    text = told(replace(PLAN, database=None, backups=PLAN.backups[:1], configuration=None))
    assert "Database: NO recovery point; preflight would refuse." in text
    assert "Namespace role observability: NO usable backup; preflight would refuse." in text
    assert "Namespace role support: NO usable backup; preflight would refuse." in text
    assert "Configuration: commit NONE" in text
    assert "and 0 WAL segments" in text


def test_a_target_by_time_is_told_as_such() -> None:
    assert PLAN.database is not None
    assert "(by time) from base backup" in told(replace(PLAN, database=replace(PLAN.database, target_lsn=None)))


def test_more_to_replay_takes_longer() -> None:
    assert PLAN.database is not None
    longer = replace(PLAN, database=replace(PLAN.database, replay_segments=1000))
    minutes = [int(text.rsplit("Time: about ", 1)[1].split()[0]) for text in (told(), told(longer))]
    assert minutes[0] < minutes[1]


def test_one_surface_restores_no_namespace() -> None:
    assert "; 0 Restores and 0 ConfigMaps" in told(replace(PLAN, surfaces=(Surface.DATABASE,), full=False, backups=()))
