"""What an archive can restore, from its listing."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_sample import ROOT, Bucket, key, minute, name
from dalp_dr.database import archive, lsn
from dalp_dr.errors import FactError, RefusedError


def test_a_chain_without_a_gap_reaches_the_newest_segment() -> None:
    bucket = Bucket().segments(range(10))
    bucket.base(3.5, 3)
    chain = bucket.read().chains()[0]
    assert (chain.usable, chain.last, chain.segments, chain.gap, chain.last_uploaded_at) == (True, name(9), 7, None, minute(9))


def test_a_missing_segment_is_a_gap_that_names_both_ends() -> None:
    bucket = Bucket().segments(range(10))
    bucket.base(3.5, 3)
    bucket.rows = [r for r in bucket.rows if r["key"] not in {ROOT + key(6), ROOT + key(7)}]
    chain = bucket.read().chains()[0]
    assert chain.last == name(5)
    assert chain.gap is not None
    assert (chain.gap.first, chain.gap.last, chain.gap.segments, chain.gap.resumes_at) == (name(6), name(7), 2, name(8))


def test_a_segment_deleted_later_is_a_gap_even_for_an_earlier_incident() -> None:
    """Recovery reads the bucket as it is today."""
    bucket = Bucket().segments(range(10))
    bucket.base(3.5, 3)
    bucket.remove(key(5), 100)
    assert bucket.read(8).chains()[0].last == name(4)


def test_a_backup_without_its_own_wal_is_not_usable() -> None:
    bucket = Bucket().segments(range(3)).segments(range(4, 10))
    bucket.base(4.5, 2, last=4)
    chain = bucket.read().chains()[0]
    assert (chain.usable, chain.missing_of_backup) == (False, 1)


@pytest.mark.parametrize(
    ("change", "usable"), [({}, True), ({"status": "STARTED"}, False), ({"status": "FAILED"}, False), ({"data": False}, False)]
)
def test_only_a_finished_backup_with_data_is_usable(change: dict[str, object], usable: bool) -> None:
    bucket = Bucket().segments(range(10))
    bucket.base(3.5, 3, **change)  # type: ignore[arg-type]
    assert bool([c for c in bucket.read().chains() if c.usable]) is usable


def test_what_is_younger_than_the_incident_is_invisible() -> None:
    bucket = Bucket().segments(range(10))
    early = bucket.base(3.5, 3)
    bucket.base(7.5, 7)
    seen = bucket.read(6)
    assert [b.id for b in seen.backups] == [early]
    assert seen.chains()[0].last == name(6)
    assert seen.younger == 3 + 2


def test_the_backup_info_of_the_incident_is_read_and_not_todays() -> None:
    bucket = Bucket().segments(range(10))
    bucket.base(3.5, 3)
    again = dict(bucket.rows[-2], version_id="later", last_modified=minute(50))
    bucket.rows.append(again)
    wanted = dict(archive.to_read(bucket.rows, ROOT, minute(9)))
    assert list(wanted.values()) == [bucket.rows[-3]["version_id"]]


def test_the_chain_follows_a_switch_to_a_new_timeline() -> None:
    bucket = Bucket().segments(range(6)).segments(range(5, 10), timeline=2)
    bucket.base(3.5, 3)
    bucket.put("wals/00000002.history", 6, b"1\t0/5000060\tno recovery target specified\n")
    chain = bucket.read().chains()[0]
    assert (chain.last, chain.segments, chain.gap) == (name(9, 2), 7, None)


def test_a_gap_after_the_switch_is_named_on_the_new_timeline() -> None:
    bucket = Bucket().segments(range(6)).segments(range(5, 10), timeline=2)
    bucket.base(3.5, 3)
    bucket.put("wals/00000002.history.gz", 6, gzip.compress(b"1\t0/5000060\tno recovery target specified\n"))
    bucket.rows = [r for r in bucket.rows if r["key"] != ROOT + key(7, 2)]
    chain = bucket.read().chains()[0]
    assert chain.gap is not None and chain.gap.first == name(7, 2)


@pytest.mark.parametrize(("etag", "found"), [("other", True), (key(4), False)])
def test_a_segment_written_twice_with_other_content_is_rewritten(etag: str, found: bool) -> None:
    bucket = Bucket().segments(range(10))
    bucket.base(3.5, 3)
    bucket.put(key(4), 20, etag=etag)
    assert (bucket.read().rewritten == (ROOT + key(4),)) is found


def test_one_segment_under_two_names_is_rewritten() -> None:
    bucket = Bucket().segments(range(10))
    bucket.put(key(4).removesuffix(".gz"), 20)
    assert len(bucket.read().rewritten) == 1


def test_the_best_chain_is_the_one_that_reaches_furthest_with_the_newest_backup() -> None:
    bucket = Bucket().segments(range(10))
    bucket.base(2.5, 2)
    newest = bucket.base(6.5, 6)
    found = bucket.read()
    assert found.reachable().backup.id == newest
    assert found.longest().segments == 8


def test_nothing_to_restore_is_refused_with_what_is_there() -> None:
    bucket = Bucket().segments(range(10))
    id_ = bucket.base(3.5, 3, status="FAILED")
    with pytest.raises(RefusedError, match=f"{id_}: FAILED"):
        bucket.read().reachable()


@pytest.mark.parametrize(("content", "said"), [(b"nonsense", "no `status`"), (b"status=DONE\nend_time=2026-10-06 00:00:00", "has no zone")])
def test_a_damaged_backup_info_is_an_error(content: bytes, said: str) -> None:
    bucket = Bucket()
    bucket.put("base/20261006T000000/backup.info", 1, content)
    with pytest.raises(FactError, match=said):
        bucket.read()


def test_contents_that_were_not_read_are_an_error() -> None:
    bucket = Bucket()
    bucket.base(3.5, 3)
    with pytest.raises(FactError, match="was not read"):
        archive.read(bucket.rows, ROOT, {}, minute(9))


@pytest.mark.parametrize(
    ("suffix", "data", "said"),
    [(".zst", b"", "cannot be read here"), (".gz", b"not gzip", "cannot be decompressed"), (".xz", b"no", "cannot be decompressed")],
)
def test_compression_that_cannot_be_undone_is_an_error(suffix: str, data: bytes, said: str) -> None:
    with pytest.raises(FactError, match=said):
        archive.plain("wals/x" + suffix, data)


@pytest.mark.parametrize("text", ["1 0/5000060 no tabs", "x\t0/5\treason", "1\tnothing\treason"])
def test_a_history_file_of_another_form_is_an_error(text: str) -> None:
    with pytest.raises(FactError):
        archive.history(text)


@pytest.mark.parametrize(
    ("timeline", "number", "size", "expected"),
    [
        (1, 255, 16 * 1024 * 1024, "0000000100000000000000FF"),
        (1, 256, 16 * 1024 * 1024, "000000010000000100000000"),
        (10, 4095, 1024 * 1024, "0000000A0000000000000FFF"),
        (10, 4096, 1024 * 1024, "0000000A0000000100000000"),
    ],
)
def test_segment_names_roll_over_with_the_segment_size(timeline: int, number: int, size: int, expected: str) -> None:
    assert lsn.name(timeline, number, size) == expected
    assert lsn.split(expected, size) == (timeline, number)


@given(present=st.sets(st.integers(min_value=0, max_value=30)), begin=st.integers(min_value=0, max_value=30))
def test_a_chain_ends_at_the_first_missing_segment(present: set[int], begin: int) -> None:
    bucket = Bucket()
    for number in sorted(present):
        bucket.segments(range(number, number + 1))
    bucket.base(40, begin)
    chain = bucket.read().chains()[0]
    first_missing = next(n for n in range(begin, 40) if n not in present)
    assert chain.segments == first_missing - begin
    assert (chain.gap is not None) == any(n > first_missing for n in present)
