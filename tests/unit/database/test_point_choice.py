"""The choice of the recovery point, policy by policy."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_sample import ROOT, SEGMENT_BYTES, Bucket, key, minute
from dalp_dr.database import lsn, point
from dalp_dr.database.wal import Commit
from dalp_dr.errors import RefusedError
from dalp_dr.model.plan import utc


def commit(segment: int, minutes: float) -> Commit:
    position = segment * SEGMENT_BYTES + 0x2000
    return Commit(lsn.show(position), lsn.show(position + 40), 900, minute(minutes))


LAST = commit(59, 59.9)


def two_backups() -> tuple[Bucket, str, str]:
    bucket = Bucket().segments(range(60))
    return bucket, bucket.base(10.5, 10), bucket.base(40.5, 40)


def test_latest_is_the_last_archived_commit_from_the_newest_backup_before_it() -> None:
    bucket, _, newest = two_backups()
    chosen = point.choose("latest", None, bucket.read(), LAST, "seed")
    assert (chosen.backup_id, chosen.target_lsn, chosen.target_time, chosen.replay_segments) == (newest, LAST.lsn, minute(59.9), 20)
    assert (chosen.window.earliest, chosen.window.latest, chosen.window.base_backups) == (minute(10.5), minute(59.9), 2)


def test_latest_on_an_idle_database_uses_the_backup_before_the_last_commit() -> None:
    bucket, oldest, _ = two_backups()
    chosen = point.choose("latest", None, bucket.read(), commit(30, 30.5), "seed")
    assert (chosen.backup_id, chosen.replay_segments) == (oldest, 21)


def test_latest_is_refused_when_every_backup_ends_after_the_last_commit() -> None:
    bucket, _, _ = two_backups()
    with pytest.raises(RefusedError, match="before the end of every usable base backup"):
        point.choose("latest", None, bucket.read(), commit(5, 5.5), "seed")


@pytest.mark.parametrize(("minutes", "backup"), [(10.5, 0), (40.4, 0), (40.5, 1), (59.8, 1)])
def test_timestamp_takes_the_newest_backup_that_ended_by_then(minutes: float, backup: int) -> None:
    bucket, *ids = two_backups()
    chosen = point.choose("timestamp", minute(minutes), bucket.read(), LAST, "seed")
    assert (chosen.backup_id, chosen.target_lsn, chosen.target_time) == (ids[backup], None, minute(minutes))


@pytest.mark.parametrize("minutes", [10.4, 59.9, 70])
def test_timestamp_outside_the_window_is_refused_with_the_window(minutes: float) -> None:
    bucket, _, _ = two_backups()
    with pytest.raises(RefusedError, match=f"{minute(10.5)} to {minute(59.9)}"):
        point.choose("timestamp", minute(minutes), bucket.read(), LAST, "seed")


def test_timestamp_in_a_gap_is_refused_and_the_gap_named() -> None:
    bucket, oldest, _ = two_backups()
    bucket.rows = [r for r in bucket.rows if r["key"] != ROOT + key(20)]
    with pytest.raises(RefusedError, match=f"000000010000000000000014 to 000000010000000000000014 is missing after base backup {oldest}"):
        point.choose("timestamp", minute(25), bucket.read(), LAST, "seed")
    assert point.choose("timestamp", minute(17.5), bucket.read(), LAST, "seed").backup_id == oldest
    assert point.choose("timestamp", minute(45), bucket.read(), LAST, "seed").target_time == minute(45)


@settings(deadline=None)  # a busy machine is no wrong answer
@given(st.text(max_size=20))
def test_random_is_repeatable_and_always_restorable(seed: str) -> None:
    bucket, _, _ = two_backups()
    found = bucket.read()
    first, second = (point.choose("random", None, found, LAST, seed) for _ in range(2))
    assert first == second
    assert utc(minute(10.5)) <= utc(first.target_time) < utc(minute(59.9))
    assert utc(first.backup_end) <= utc(first.target_time)


def test_random_never_falls_into_a_gap() -> None:
    bucket, _, newest = two_backups()
    bucket.rows = [r for r in bucket.rows if r["key"] != ROOT + key(20)]
    found = bucket.read()
    assert {point.choose("random", None, found, LAST, str(n)).backup_id for n in range(50)} == {newest}


def test_edges() -> None:
    bucket = Bucket().segments(range(30)).segments(range(30, 31), at=55).segments(range(31, 40), at=56)
    bucket.base(10.5, 10)
    found, last = bucket.read(), commit(39, 55.9)
    assert point.choose("edge", "earliest", found, last, "s").target_time == minute(10.5)
    assert point.choose("edge", "after_quiet", found, last, "s").target_time == minute(55)
    assert {point.choose("edge", None, found, last, str(n)).target_time for n in range(20)} == {minute(10.5), minute(55)}
    with pytest.raises(RefusedError, match="knows no 'middle'"):
        point.choose("edge", "middle", found, last, "s")


def test_nothing_to_restore_is_refused() -> None:
    with pytest.raises(RefusedError, match="no base backup"):
        point.choose("latest", None, Bucket().segments(range(5)).read(), LAST, "seed")
