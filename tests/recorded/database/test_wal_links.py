"""Links between WAL records, on two consecutive segments that PostgreSQL 15 wrote, whole and damaged."""

from __future__ import annotations

import gzip
import json
import lzma
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archive_sample import Bucket
from dalp_dr.catalogue import KINDS
from dalp_dr.database import wal, wal_links
from dalp_dr.errors import FactError, RefusedError
from dalp_dr.model.check import Verdict
from dalp_dr.model.record import encode
from sandbox_sample import PLAN, a_plan

DATA = Path(__file__).parents[1] / "data" / "wal"
SEGMENT = 16 * 1024 * 1024


def segment(number: int) -> bytearray:
    return bytearray(lzma.decompress((DATA / f"postgresql-15-0000000100000000{number:08X}.xz").read_bytes()))


def followed(change: Callable[[dict[int, bytearray]], None] = lambda data: None) -> wal_links.WalLinks:
    data = {2: segment(2), 3: segment(3)}
    change(data)
    bucket = Bucket()
    backup = bucket.base(1, 2)
    bucket.segments(range(2, 4))
    stored = {key: gzip.compress(bytes(data[int(key.split("/")[-1][16:24], 16)]), 1) for key in bucket.contents if key.endswith(".gz")}
    plan = a_plan(database=replace(PLAN.database, backup_id=backup))
    return wal_links.facts_from(plan, bucket.read(20), lambda key, version: stored[key])


def test_two_consecutive_segments_are_linked() -> None:
    found = followed()
    assert (found.followed, found.broken) == (2, ())
    assert found.records > 100
    assert wal_links.judge_links(found, PLAN).verdict is Verdict.PASS
    assert KINDS["wal_links"].decode(json.loads(json.dumps(encode(found)))) == found


def first_record(data: bytearray) -> int:
    """Offset of the first record that begins in the segment: behind the long page header and what the segment before had begun."""
    remaining = struct.unpack_from("<I", data, 16)[0]
    return 40 + -(-remaining // 8) * 8


def another_servers(data: dict[int, bytearray]) -> None:
    """The first record of the segment names another place as the one before."""
    struct.pack_into("<Q", data[3], first_record(data[3]) + 8, 0x2000028)


def another_record(data: dict[int, bytearray]) -> None:
    start = first_record(data[2])
    length = struct.unpack_from("<I", data[2], start)[0]
    struct.pack_into("<Q", data[2], start + -(-length // 8) * 8 + 8, 0x1000028)


def another_page(data: dict[int, bytearray]) -> None:
    data[2][8192 + 8] ^= 0xFF


def cut(data: dict[int, bytearray]) -> None:
    del data[3][SEGMENT // 2 :]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (another_servers, "000000010000000000000003: its first record follows 0/2000028"),
        (another_record, "incorrect prev-link 0/1000028"),
        (another_page, "the page is not from there"),
        (cut, "000000010000000000000003: "),
    ],
)
def test_what_a_second_writer_leaves_is_found_before_any_restore(change: Callable[[dict[int, bytearray]], None], said: str) -> None:
    result = wal_links.judge_links(followed(change), PLAN)
    assert result.verdict is Verdict.FAIL
    assert any(said in finding for finding in result.findings), result.findings


def test_nothing_followed_is_no_pass() -> None:
    assert wal_links.judge_links(replace(followed(), records=0), PLAN).verdict is Verdict.INCONCLUSIVE


def test_a_base_backup_that_is_not_there_is_refused() -> None:
    bucket: Any = Bucket()
    bucket.base(1, 2)
    bucket.segments(range(2, 4))
    with pytest.raises(RefusedError):
        wal_links.facts_from(PLAN, bucket.read(20), lambda key, version: b"")


def test_links_of_one_segment_alone() -> None:
    found = wal.links(bytes(segment(3)), 3 * SEGMENT)
    assert found.first_link is not None and found.last is not None and found.first_link < 3 * SEGMENT <= found.last
    with pytest.raises(FactError):
        wal.links(b"\0" * SEGMENT, 3 * SEGMENT)
