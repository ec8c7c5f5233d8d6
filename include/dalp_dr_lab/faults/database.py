"""Faults of the database and its archive."""

from __future__ import annotations

import gzip

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults.fault import Fault, Notes, nothing
from dalp_dr_lab.faults.recovery_points import delete_versions, newest_base_backup
from dalp_dr_lab.lab import BUCKETS, Lab
from dalp_dr_lab.miniature import backup, source

SEGMENTS_PER_LOG = 256  # 16 MB segments of a 4 GB log


def next_segment(name: str) -> str:
    """The name of the WAL segment after this one, on the same timeline."""
    timeline, log, segment = name[:8], int(name[8:16], 16), int(name[16:], 16)
    log, segment = (log + 1, 0) if segment + 1 == SEGMENTS_PER_LOG else (log, segment + 1)
    return f"{timeline}{log:08X}{segment:08X}"


def _one_wei(lab: Lab, notes: Notes) -> None:
    row = source.sql(lab, "select account_id, token from holding where amount > 0 order by token, account_id limit 1")
    if not row:
        raise LabError("There is no holding to change. Run `python -m dalp_dr_lab traffic` first.")
    notes["account_id"], _, notes["token"] = row.partition("|")
    _add(lab, notes, 1)
    notes["changed"] = True


def _take_wei_back(lab: Lab, notes: Notes) -> None:
    if notes.get("changed"):
        _add(lab, notes, -1)


def _add(lab: Lab, notes: Notes, change: int) -> None:
    place = f"account_id = {int(notes['account_id'])} and token = '{notes['token']}'"
    source.sql(lab, f"update holding set amount = amount + ({change}) where {place}")


def _wal_gap(lab: Lab, notes: Notes) -> None:
    gap = next_segment(newest_base_backup(lab).end_segment)
    source.wait(f"segment {gap} and one after it in the archive", lambda: backup.archive_now(lab) > gap, 120)
    store, key = lab.s3("admin"), f"{backup.wal_key(gap)}.gz"
    saved = lab.folder / "tmp" / f"{gap}.gz"
    saved.write_bytes(store.get_object(Bucket=BUCKETS["wal"], Key=key)["Body"].read())
    notes.update(key=key, saved=str(saved))
    delete_versions(lab, BUCKETS["wal"], key)


def _close_gap(lab: Lab, notes: Notes) -> None:
    if "saved" in notes:
        saved = lab.folder / "tmp" / notes["key"].rpartition("/")[2]
        lab.s3("admin").put_object(Bucket=BUCKETS["wal"], Key=notes["key"], Body=saved.read_bytes())
        saved.unlink()


MOVE_A_ROW_PAST_THE_INDEX = """
update pg_index set indisready = false where indexrelid = 'idxr_transfer_tx'::regclass;
create temp table moved as select * from idxr_transfer where ctid = (select min(ctid) from idxr_transfer);
delete from idxr_transfer where ctid = (select min(ctid) from idxr_transfer);
insert into idxr_transfer select * from moved;
update pg_index set indisready = true where indexrelid = 'idxr_transfer_tx'::regclass;
"""


def _corrupt_index(lab: Lab, notes: Notes) -> None:
    """Take one row out and put it back while the index is told to look away: the index then lacks it."""
    source.sql(lab, MOVE_A_ROW_PAST_THE_INDEX)


def _reindex(lab: Lab, notes: Notes) -> None:
    source.sql(lab, "reindex index idxr_transfer_tx")


def _poison(lab: Lab, notes: Notes) -> None:
    """Write the first segment of the newest base backup again with one byte changed, as a second server would."""
    store, key = lab.s3("admin"), f"{backup.wal_key(newest_base_backup(lab).begin_segment)}.gz"
    content = bytearray(gzip.decompress(store.get_object(Bucket=BUCKETS["wal"], Key=key)["Body"].read()))
    content[-1] ^= 0xFF
    notes["key"] = key
    notes["version"] = store.put_object(Bucket=BUCKETS["wal"], Key=key, Body=gzip.compress(bytes(content)))["VersionId"]


def _take_back_poison(lab: Lab, notes: Notes) -> None:
    if "version" in notes:
        lab.s3("admin").delete_object(Bucket=BUCKETS["wal"], Key=notes["key"], VersionId=notes["version"])


FAULTS = (
    Fault(
        "one-wei",
        "One holding in the source's database is one smallest unit more than the index and the chain say.",
        ("database_matches_index",),
        _one_wei,
        _take_wei_back,
        group="contents-1",
    ),
    Fault(
        "wal-gap",
        "The archived WAL segment right after the newest base backup is removed from the bucket in all its versions.",
        ("wal_without_gaps",),
        nothing,
        _close_gap,
        afterwards=_wal_gap,
        outcome="refused",
        base_backup=True,
        group="preflight-1",
    ),
    Fault(
        "corrupt-index",
        "An index of the source's database lacks an entry for a row that its table has; every copy inherits that.",
        ("database_integrity",),
        _corrupt_index,
        _reindex,
        base_backup=True,
        group="contents-2",
    ),
    Fault(
        "poisoned-archive",
        "A segment of the archive was written a second time, with other content: somebody else archives here.",
        ("archive_has_one_writer",),
        nothing,
        _take_back_poison,
        afterwards=_poison,
        outcome="refused",
        spoils=False,
        group="preflight-3",
    ),
)
