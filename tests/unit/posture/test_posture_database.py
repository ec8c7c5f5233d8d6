"""The database's own protection: green as installed, red for each damage."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.database.archive import BaseBackup, Chain
from dalp_dr.database.wal_archive import WalArchive
from dalp_dr.posture import database
from posture_sample import CLUSTER, ENVIRONMENT, NOW, SCHEDULED, STORE, changed, judged, red, said, with_posture


def protection(cluster: Any = CLUSTER, schedules: Any = (SCHEDULED,), stores: Any = (STORE,)) -> database.Protection:
    return database.protection(ENVIRONMENT, cluster, schedules, stores)


IN_TREE = changed(
    changed(CLUSTER, "spec.plugins", []),
    "spec.backup",
    {"barmanObjectStore": {"destinationPath": "s3://dalp-wal/prod/"}, "retentionPolicy": "30d"},
)


@pytest.mark.parametrize("cluster", [CLUSTER, IN_TREE], ids=["plugin", "in tree"])
def test_an_archiving_cluster_is_green(cluster: Any) -> None:
    assert red(judged("database_protection", protection(cluster))) == {}


DAMAGE = {
    "no archiver": (protection(changed(CLUSTER, "spec.plugins", [])), "wal_shipped", "ships no WAL"),
    "archiving fails": (protection(changed(CLUSTER, "status.conditions.0.status", "False")), "wal_shipped", "archiving fails"),
    "another bucket": (
        protection(stores=(changed(STORE, "spec.configuration.destinationPath", "s3://other/prod"),)),
        "wal_shipped",
        "s3://other/prod",
    ),
    "another server name": (
        protection(changed(CLUSTER, "spec.plugins.0.parameters.serverName", "dalp-pg-2")),
        "wal_shipped",
        "as dalp-pg-2",
    ),
    "store gone": (protection(stores=()), "wal_shipped", "it ships to"),
    "no schedule": (protection(schedules=()), "base_backups_scheduled", "is daily"),
    "schedule of another cluster": (
        protection(schedules=(changed(SCHEDULED, "spec.cluster.name", "other"),)),
        "base_backups_scheduled",
        "is daily",
    ),
    "suspended": (protection(schedules=(changed(SCHEDULED, "spec.suspend", True),)), "base_backups_scheduled", "suspended"),
    "weekly": (protection(schedules=(changed(SCHEDULED, "spec.schedule", "0 0 2 * * 0"),)), "base_backups_scheduled", "is daily"),
    "last one failed": (protection(changed(CLUSTER, "status.conditions.1.status", "False")), "base_backups_scheduled", "failed"),
    "kept a week": (protection(stores=(changed(STORE, "spec.retentionPolicy", "7d"),)), "archive_retention", "shorter than 30"),
}


@pytest.mark.parametrize(("found", "check", "words"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_red(found: database.Protection, check: str, words: str) -> None:
    results = judged("database_protection", found)
    assert red(results).get(check) == "fail"
    assert words in said(results[check])


UNKNOWN = {
    "archiving not told": (protection(changed(CLUSTER, "status.conditions", [])), "wal_shipped"),
    "cron unreadable": (protection(schedules=(changed(SCHEDULED, "spec.schedule", "soon"),)), "base_backups_scheduled"),
    "retention unreadable": (protection(stores=(changed(STORE, "spec.retentionPolicy", "long"),)), "archive_retention"),
}


@pytest.mark.parametrize(("found", "check"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_read_is_not_green(found: database.Protection, check: str) -> None:
    assert red(judged("database_protection", found)) == {check: "inconclusive"}


def test_without_a_policy_nothing_is_removed() -> None:
    assert red(judged("database_protection", protection(stores=(changed(STORE, "spec.retentionPolicy", ...),)))) == {}


def a_backup(id_: str, end: str, status: str = "DONE") -> BaseBackup:
    first, last = "000000010000000000000002", "000000010000000000000003"
    return BaseBackup(id_, status, end, end, first, last, "0/3000000", 1, "7000000000000000001", 100)


def archive(
    uploaded: str | None = "2026-10-06T05:59:00Z", ends: tuple[str, ...] = ("2026-09-05T02:00:00Z", "2026-10-06T02:00:00Z")
) -> WalArchive:
    backups = tuple(a_backup(f"b{n}", end) for n, end in enumerate(ends))
    last = "000000010000000000000009"
    chains = tuple(Chain(b, last, uploaded, None, 8, 0, None) for b in backups)
    return WalArchive("prod/dalp-pg/", NOW, 2**24, 8, last if uploaded else None, uploaded, backups, chains, (1,), (), 0, ("b0", "b1"), 1)


def test_wal_that_arrives_is_green_and_old_wal_is_red() -> None:
    assert red(judged("wal_archive", archive())) == {}
    late = judged("wal_archive", archive("2026-10-06T05:30:00Z"))
    assert red(late) == {"wal_lag": "fail"}
    assert "1800 s ago" in said(late["wal_lag"])
    assert red(judged("wal_archive", archive("2026-10-06T05:30:00Z"), with_posture(wal_lag_seconds=3600))) == {}
    assert red(judged("wal_archive", archive(None)))["wal_lag"] == "fail"


CREATED = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("ends", "created", "verdict"),
    [
        (("2026-09-05T02:00:00Z", "2026-10-06T02:00:00Z"), CREATED, None),
        (("2026-10-01T02:00:00Z", "2026-10-06T02:00:00Z"), CREATED, "fail"),
        (("2026-10-01T02:00:00Z",), "2026-10-01T00:00:00Z", None),
        ((), CREATED, "fail"),
    ],
    ids=["a month", "five days of an old cluster", "a cluster of five days", "nothing"],
)
def test_the_window_reaches_back_as_promised(ends: tuple[str, ...], created: str, verdict: str | None) -> None:
    found = database.window(archive(ends=ends), created)
    assert red(judged("recoverable_window", found)).get("recoverable_window_whole") == verdict


def test_a_base_backup_whose_wal_ends_early_opens_no_window() -> None:
    whole = archive()
    old = Chain(whole.backups[0], "000000010000000000000005", "2026-09-06T00:00:00Z", None, 4, 0, None)
    import dataclasses

    found = database.window(dataclasses.replace(whole, chains=(old, whole.chains[1])), CREATED)
    assert found.earliest == "2026-10-06T02:00:00Z"
