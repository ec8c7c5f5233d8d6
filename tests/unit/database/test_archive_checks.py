"""Checks before the restore: base backup, gaps, second writer, target."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from archive_sample import ROOT, SYSTEM, Bucket, key, minute, name
from dalp_dr.catalogue import KINDS
from dalp_dr.database import facts, wal_archive
from dalp_dr.database.wal import Commit
from dalp_dr.errors import FactError
from dalp_dr.model.check import Verdict
from dalp_dr.model.plan import DatabasePoint, DrillPlan, Window
from dalp_dr.model.record import encode
from sandbox_sample import a_plan

LAST = Commit("0/9002000", "0/9002028", 900, minute(9.9))


def sample() -> tuple[Bucket, str]:
    bucket = Bucket().segments(range(10))
    return bucket, bucket.base(3.5, 3)


def a_point(backup: str, **changes: Any) -> DatabasePoint:
    window = Window(minute(3.5), minute(9.9), LAST.lsn, 1, SYSTEM, 1, 7)
    return replace(DatabasePoint(window, backup, minute(3.5), minute(9.9), LAST.lsn, 7), **changes)


def planned(backup: str, **changes: Any) -> DrillPlan:
    return a_plan(database=a_point(backup, **changes), incident_time=minute(20))


def test_a_sound_archive_passes_everything() -> None:
    bucket, backup = sample()
    plan = planned(backup)
    found = facts.wal_archive(bucket.read(20), (backup,), 1)
    for judge in (wal_archive.judge_fresh, wal_archive.judge_gaps, wal_archive.judge_one_writer):
        assert judge(found, plan).verdict is Verdict.PASS
    assert wal_archive.judge_target(facts.restore_target(plan, bucket.read(20), LAST), plan).verdict is Verdict.PASS


@pytest.mark.parametrize(("hours", "verdict"), [(25.9, Verdict.PASS), (26.2, Verdict.FAIL)])
def test_the_age_of_the_newest_usable_backup_counts_at_the_incident(hours: float, verdict: Verdict) -> None:
    bucket, backup = sample()
    result = wal_archive.judge_fresh(facts.wal_archive(bucket.read(3.5 + hours * 60), (backup,), 1), planned(backup))
    assert result.verdict is verdict
    assert backup in result.observed


def test_no_usable_backup_names_each_and_why() -> None:
    bucket = Bucket().segments(range(3)).segments(range(4, 10))
    incomplete = bucket.base(4.5, 2, last=4)
    failed = bucket.base(5.5, 5, status="FAILED")
    result = wal_archive.judge_fresh(facts.wal_archive(bucket.read(20), None, None), planned(incomplete))
    assert result.verdict is Verdict.FAIL
    assert result.findings == (
        f"base backup {incomplete}: 1 of its own WAL segments are missing",
        f"base backup {failed}: status FAILED, 4 bytes of data",
    )


def test_a_gap_after_the_newest_backup_fails_and_names_the_segment() -> None:
    bucket, backup = sample()
    bucket.rows = [r for r in bucket.rows if r["key"] != ROOT + key(6)]
    result = wal_archive.judge_gaps(facts.wal_archive(bucket.read(20), (backup,), 1), planned(backup))
    assert result.verdict is Verdict.FAIL
    assert f"segment {name(6)} is missing after base backup {backup}; WAL goes on at {name(7)}" in result.findings
    assert any("before the target" in f for f in result.findings)


def test_a_gap_before_the_newest_backup_is_told_only() -> None:
    bucket, _ = sample()
    newest = bucket.base(7.5, 7)
    bucket.rows = [r for r in bucket.rows if r["key"] != ROOT + key(5)]
    result = wal_archive.judge_gaps(facts.wal_archive(bucket.read(20), None, None), planned(newest))
    assert (result.verdict, "1 older gaps" in result.observed) == (Verdict.PASS, True)


def test_a_vanished_base_backup_fails() -> None:
    bucket, _ = sample()
    result = wal_archive.judge_gaps(facts.wal_archive(bucket.read(20), None, None), planned("20260101T000000"))
    assert result.findings == ("base backup 20260101T000000, which the plan names, is not in the archive",)


def second_writer(bucket: Bucket, case: str) -> None:
    if case == "rewritten":
        bucket.put(key(5), 12, etag="other")
    elif case == "other system":
        bucket.base(8.5, 8, system="7111")
    elif case == "remnant of another system":
        bucket.base(8.5, 8, system="7111", status="STARTED", data=False)
    elif case == "unexplained":
        bucket.base(8.5, 8)
    elif case == "timeline":
        bucket.put("wals/00000002.history", 12, b"1\t0/5000060\tbefore 2026-10-06 00:05:00+00\n")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("rewritten", "written more than once"),
        ("other system", "2 different systems"),
        ("remnant of another system", "never finished"),
        ("unexplained", "has no Backup object in the source"),
        ("timeline", "timelines [2], the source is on timeline 1"),
    ],
)
def test_each_sign_of_a_second_writer_is_named(case: str, said: str) -> None:
    bucket, backup = sample()
    second_writer(bucket, case)
    result = wal_archive.judge_one_writer(facts.wal_archive(bucket.read(20), (backup,), 1), planned(backup))
    assert result.verdict is Verdict.FAIL
    assert any(said in f for f in result.findings), result.findings


def test_a_backup_that_runs_is_no_remnant() -> None:
    bucket, backup = sample()
    bucket.base(19.5, 9, status="STARTED", data=False)
    assert wal_archive.judge_one_writer(facts.wal_archive(bucket.read(20), (backup,), 1), planned(backup)).verdict is Verdict.PASS


def test_backup_objects_that_could_not_be_read_leave_the_question_open() -> None:
    bucket, backup = sample()
    result = wal_archive.judge_one_writer(facts.wal_archive(bucket.read(20), None, None), planned(backup))
    assert result.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target_time": minute(3.0), "target_lsn": None}, "before the end of base backup"),
        ({"target_time": minute(9.95), "target_lsn": None}, "after the last archived commit"),
        ({"target_lsn": None}, "no archived commit follows"),
        ({"target_lsn": "0/9003000"}, "after the last archived commit"),
        ({"backup_id": "20260101T000000"}, "not usable any more"),
    ],
)
def test_a_target_outside_the_window_fails(change: dict[str, Any], said: str) -> None:
    bucket, backup = sample()
    plan = planned(backup, **change)
    result = wal_archive.judge_target(facts.restore_target(plan, bucket.read(20), LAST), plan)
    assert result.verdict is Verdict.FAIL
    assert any(said in f for f in result.findings), result.findings


def test_a_target_after_the_incident_fails() -> None:
    bucket, backup = sample()
    plan = replace(planned(backup), incident_time=minute(9.5))
    assert wal_archive.judge_target(facts.restore_target(plan, bucket.read(20), LAST), plan).verdict is Verdict.FAIL


def test_without_a_window_or_a_point_nothing_passes() -> None:
    bucket, backup = sample()
    plan = planned(backup)
    assert wal_archive.judge_target(facts.restore_target(plan, bucket.read(20), None), plan).verdict is Verdict.FAIL
    with pytest.raises(FactError):
        facts.restore_target(a_plan(database=None), bucket.read(20), LAST)


def test_the_records_are_read_back_as_they_were_written() -> None:
    bucket, backup = sample()
    plan, found = planned(backup), bucket.read(20)
    for kind, read in (
        ("wal_archive", facts.wal_archive(found, (backup,), 1)),
        ("restore_target", facts.restore_target(plan, found, LAST)),
    ):
        assert KINDS[kind].decode(json.loads(json.dumps(encode(read)))) == read
