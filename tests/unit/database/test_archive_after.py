"""What a second writer does to an archive is found by comparing it with what it was; what production does is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from archive_sample import ROOT, Bucket, key, minute, name
from dalp_dr.catalogue import KINDS, checks_of
from dalp_dr.database import archive_after
from dalp_dr.model.check import CheckResult, Verdict
from dalp_dr.model.plan import DatabasePoint, Window
from dalp_dr.model.record import encode
from sandbox_sample import SYSTEM_ID, a_plan

POINT = DatabasePoint(Window(minute(3.5), minute(9.9), "0/9002000", 1, SYSTEM_ID, 1, 7), "b", minute(3.5), minute(9.9), "0/9002000", 7)
PLAN = a_plan(database=POINT)


def sample() -> Bucket:
    bucket = Bucket().segments(range(10))
    bucket.base(3.5, 3)
    return bucket


def base_of(bucket: Bucket) -> str:
    return min(r["key"].split("/base/")[1].split("/")[0] for r in bucket.rows if "/base/" in r["key"])


def compare(change: Callable[[Bucket], object], known: tuple[str, ...] | None = (), running: int = 0) -> archive_after.ArchiveAfter:
    bucket = sample()
    then = archive_after.before(bucket.rows, ROOT)
    change(bucket)
    ids = None if known is None else (base_of(bucket), *known)
    return archive_after.after(PLAN, bucket.rows, ROOT, then, ids, running)


def judged(facts: archive_after.ArchiveAfter) -> CheckResult:
    [check] = checks_of("archive_after")
    return check.judge(KINDS["archive_after"].decode(encode(facts)), PLAN)


def new_base(bucket: Bucket) -> object:
    return bucket.base(20, 12)


NEW_BASE = "20261006T002000"
LABEL = f"wals/{name(0)[:16]}/{name(12)}.00000028.backup.gz"


def retire(bucket: Bucket) -> None:
    """Production's retention: a newer base backup, and everything before it is removed."""
    bucket.segments(range(10, 16)).base(14.5, 14)
    old = base_of(bucket)
    bucket.rows = [r for r in bucket.rows if f"/base/{old}/" not in r["key"] and r["key"] not in {ROOT + key(n) for n in range(14)}]


@pytest.mark.parametrize(
    ("change", "known"),
    [
        (lambda b: None, ()),
        (lambda b: b.segments(range(10, 14)), ()),
        (lambda b: b.segments(range(10, 14), at=30), ()),
        (new_base, (NEW_BASE,)),
        (lambda b: b.put(LABEL, 20), ()),
        (retire, ("20261006T001430",)),
    ],
    ids=["nothing", "wal-goes-on", "wal-side-by-side", "base-backup", "note-of-a-base-backup", "retention"],
)
def test_what_production_does_passes(change: Callable[[Bucket], object], known: tuple[str, ...]) -> None:
    assert judged(compare(change, known)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda b: b.put("wals/00000002.history", 20), "wals/00000002.history came during the drill and is no WAL"),
        (lambda b: b.segments(range(10, 11), timeline=2, at=20), f"{name(10, 2)}.gz came during the drill"),
        (lambda b: b.put(key(9), 20, b"other", "other"), f"{key(9)} was written again with another content"),
        (lambda b: b.put(key(2), 20, b"other", "other"), f"{key(2)} was written again with another content"),
        (new_base, f"base backup {NEW_BASE} came during the drill and has no Backup object"),
        (lambda b: b.remove(key(8), 20), f"{key(8)} was deleted, and a recovery could still need it"),
        (lambda b: b.put(f"base/{base_of(b)}/data.tar", 20, b"changed", "changed"), "data.tar was written again"),
        (lambda b: b.put(f"base/{base_of(b)}/backup.info", 20, b"changed", "changed"), "backup.info was written again"),
        (lambda b: b.put("wals/note.txt", 20), "wals/note.txt came during the drill"),
        (lambda b: b.rows.pop(5), "wals/0000000100000000 is not what it was (8 versions"),
    ],
    ids=[
        "history-of-a-clone",
        "wal-of-a-clone",
        "newest-segment-overwritten",
        "old-segment-overwritten",
        "base-backup-of-a-clone",
        "segment-deleted",
        "base-backup-changed",
        "its-description-changed",
        "something-else",
        "a-version-removed",
    ],
)
def test_what_a_second_writer_does_is_found(change: Callable[[Bucket], object], finding: str) -> None:
    result = judged(compare(change))
    assert result.verdict is Verdict.FAIL, result
    assert finding in "\n".join(result.findings)


def test_a_base_backup_that_production_is_making_is_its_own() -> None:
    assert judged(compare(new_base, running=1)).verdict is Verdict.PASS


def test_without_the_sources_word_a_new_base_backup_is_nobodys() -> None:
    assert judged(compare(new_base, known=None)).verdict is Verdict.INCONCLUSIVE


def test_what_was_not_listed_before_or_after_cannot_be_compared() -> None:
    good = compare(lambda b: None)
    empty = archive_after.before([], ROOT)
    for facts in (replace(good, before=None), replace(good, before=empty), replace(good, listed=0)):
        assert judged(facts).verdict is Verdict.INCONCLUSIVE


def test_what_came_in_the_second_of_the_first_look_is_no_change() -> None:
    """A store that tells whole seconds may take another segment in the second of the listing."""
    bucket = sample()
    then = archive_after.before(bucket.rows, ROOT)
    bucket.segments(range(10, 11), at=9)
    assert judged(archive_after.after(PLAN, bucket.rows, ROOT, then, (base_of(bucket),))).verdict is Verdict.PASS
