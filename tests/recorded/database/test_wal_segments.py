"""The WAL reader on segments that PostgreSQL 15 and 17 wrote; the expected commits are those pg_waldump lists."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from dalp_dr.database import crc32c, wal
from dalp_dr.errors import FactError

DATA = Path(__file__).parents[1] / "data" / "wal"
SEGMENT = 16 * 1024 * 1024
PAGE = 8192
COMMITS = {
    "postgresql-15": [
        ("0/2006678", 725, "2026-11-24T15:25:51.731253Z"),
        ("0/20067A0", 726, "2026-11-24T15:25:51.782710Z"),
        ("0/20069C8", 729, "2026-11-24T15:25:51.783710Z"),
        ("0/20069F0", None, "2026-11-24T15:25:51.783999Z"),
        ("0/201E240", 731, "2026-11-24T15:25:51.789402Z"),
        ("0/20258A0", 732, "2026-11-24T15:25:51.792349Z"),
    ],
    "postgresql-17": [
        ("0/2004E30", 739, "2026-11-24T15:29:14.774130Z"),
        ("0/2004F58", 740, "2026-11-24T15:29:14.789741Z"),
        ("0/2005180", 743, "2026-11-24T15:29:14.790180Z"),
        ("0/20051A8", None, "2026-11-24T15:29:14.790385Z"),
        ("0/201C9F8", 745, "2026-11-24T15:29:14.792148Z"),
        ("0/2024070", 746, "2026-11-24T15:29:14.792806Z"),
    ],
}


def segment(version: str, number: int) -> bytes:
    return lzma.decompress((DATA / f"{version}-0000000100000000{number:08X}.xz").read_bytes())


@pytest.mark.parametrize("version", COMMITS)
def test_every_commit_is_found_with_its_position_and_time(version: str) -> None:
    scan = wal.read(segment(version, 2), 2 * SEGMENT)
    assert [(c.lsn, c.xid, c.time) for c in scan.commits] == COMMITS[version]
    assert scan.version == int(version.rsplit("-", 1)[1])
    assert scan.end_lsn == "0/3000000"


def test_the_end_of_a_commit_record_is_where_postgresql_switches_timeline_after_it() -> None:
    """A recovery to LSN 0/20258A0 inclusive was seen to write `0/20258C8` as the switch point into the history file."""
    assert wal.read(segment("postgresql-15", 2), 2 * SEGMENT).commits[-1].end_lsn == "0/20258C8"


def test_a_segment_without_a_commit_has_none() -> None:
    assert wal.read(segment("postgresql-15", 3), 3 * SEGMENT).commits == ()


def test_consecutive_segments_are_read_as_one() -> None:
    joined = wal.read(segment("postgresql-15", 2) + segment("postgresql-15", 3), 2 * SEGMENT)
    assert [c.lsn for c in joined.commits] == [c[0] for c in COMMITS["postgresql-15"]]
    assert joined.end_lsn == "0/4000000"


def flip(data: bytes, offset: int, bits: int = 0x10) -> bytes:
    changed = bytearray(data)
    changed[offset] ^= bits
    return bytes(changed)


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "unknown page magic": (lambda d: b"\x01\xd1" + d[2:], "none of PostgreSQL 13 to 18"),
    "cut segment": (lambda d: d[:-PAGE], "not whole segments"),
    "nearly nothing": (lambda d: d[:20], "only 20 bytes"),
    "page from elsewhere": (lambda d: flip(d, PAGE + 10), "page is not from there"),
    "page magic inside": (lambda d: flip(d, 3 * PAGE), "page is not from there"),
    "time of a commit": (lambda d: flip(d, 0x6678 + 26), "checksum is wrong"),
    "prev-link of a record": (lambda d: flip(d, 0x6678 + 9), "incorrect prev-link"),
    "zeros instead of a record": (
        lambda d: d[:0x6678] + bytes(PAGE - 0x6678 % PAGE) + d[0x6678 - 0x6678 % PAGE + PAGE :],
        "no record follows",
    ),
    "continuation lost": (lambda d: flip(d, 0x20000 + 2, 0x01), "not continued"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_an_error_and_never_an_earlier_commit(name: str) -> None:
    damage, said = DAMAGE[name]
    with pytest.raises(FactError, match=said):
        wal.read(damage(segment("postgresql-15", 2)), 2 * SEGMENT)


def test_a_record_that_the_end_cuts_off_is_left_out() -> None:
    """A message of 30060 bytes begins at 0/201E268; here the data ends inside of it."""
    whole = segment("postgresql-15", 2)
    small = 0x20000  # a segment of 128 KiB, made of the first pages
    header = bytearray(whole[:small])
    header[32:36] = small.to_bytes(4, "little")
    scan = wal.read(bytes(header), 2 * SEGMENT)
    assert [c.lsn for c in scan.commits] == [c[0] for c in COMMITS["postgresql-15"][:5]]
    assert scan.end_lsn == "0/201E268"


def test_crc32c_of_the_standard_check_string() -> None:
    assert crc32c.value(b"123456789") == 0xE3069283
