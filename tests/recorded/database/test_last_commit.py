"""The last commit of an archive of real segments, going back over one that holds none."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from dalp_dr.database import archive, point, wal
from dalp_dr.database.archive import Archive
from dalp_dr.errors import FactError, RefusedError

DATA = Path(__file__).parents[1] / "data" / "wal"
ROOT = "prod/dalp-pg/"
INCIDENT = "2026-11-24T16:00:00Z"
UPLOADS = {2: "2026-11-24T15:26:00Z", 3: "2026-11-24T15:30:00Z"}
LAST = wal.Commit("0/20258A0", "0/20258C8", 732, "2026-11-24T15:25:51.792349Z")


def key(number: int) -> str:
    return f"{ROOT}wals/0000000100000000/0000000100000000{number:08X}.gz"


def fetch(key_: str, version_id: str | None) -> bytes:
    name = key_.rsplit("/", 1)[-1].removesuffix(".gz")
    return gzip.compress(lzma.decompress((DATA / f"postgresql-15-{name}.xz").read_bytes()), 1)


def sample(first: int = 2, numbers: tuple[int, ...] = (2, 3)) -> Archive:
    info = (
        f"status=DONE\nbegin_time=2026-11-24 15:25:50+00:00\nend_time=2026-11-24 15:25:51.500000+00:00\n"
        f"begin_wal=0000000100000000{first:08X}\n"
        f"end_wal=0000000100000000{first:08X}\nend_xlog=0/{first}000100\n"
        f"timeline=1\nsystemid=7711759595903413668\nxlog_segment_size=16777216\n"
    )
    rows = [{"key": key(n), "version_id": "v", "last_modified": UPLOADS[n], "size_bytes": 9, "etag": str(n)} for n in numbers]
    rows += [
        {"key": f"{ROOT}base/20261124T152550/{name}", "version_id": "v", "last_modified": UPLOADS[2], "size_bytes": 9}
        for name in ("backup.info", "data.tar")
    ]
    return archive.read(rows, ROOT, {f"{ROOT}base/20261124T152550/backup.info": info.encode()}, INCIDENT)


def test_the_search_goes_back_over_a_segment_without_a_commit() -> None:
    assert wal.last_commit(sample(), fetch) == LAST


def test_an_archive_without_any_commit_is_refused() -> None:
    with pytest.raises(RefusedError, match="No transaction was committed in the 1 archived segments up to 000000010000000000000003"):
        wal.last_commit(sample(first=3, numbers=(3,)), fetch)


def test_a_segment_of_another_size_is_an_error() -> None:
    with pytest.raises(FactError, match="100 bytes, not 16777216"):
        wal.last_commit(sample(), lambda _, __: gzip.compress(b"x" * 100))


def test_a_segment_from_elsewhere_is_an_error() -> None:
    with pytest.raises(FactError, match="not from there"):
        wal.last_commit(sample(), lambda _, __: fetch(key(2), None))


def test_the_simulated_incident_is_the_upload_of_the_segment_with_the_next_commit() -> None:
    found = sample()
    chosen = point.choose("timestamp", "2026-11-24T15:25:51.783500Z", found, LAST, "seed")
    assert chosen.window.system_id == "7711759595903413668"
    assert point.simulated_incident(found, chosen, fetch) == "2026-11-24T15:26:00.000000Z"
