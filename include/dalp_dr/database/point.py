"""Chooses the database's recovery point inside what the archive can really restore, and freezes it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import pairwise

from dalp_dr.database import lsn, wal
from dalp_dr.database.archive import Archive, Chain, plain
from dalp_dr.database.instant import rfc3339
from dalp_dr.database.wal import Commit, Fetch
from dalp_dr.errors import FactError, RefusedError
from dalp_dr.model.plan import DatabasePoint, Policy, Window, utc

EDGES = ("earliest", "after_quiet")


def window(archive: Archive, last: Commit) -> Window:
    """The recoverable window: from the end of the oldest usable base backup to the last archived commit."""
    best = archive.reachable()
    usable = [c for c in archive.chains() if c.usable]
    return Window(
        earliest=min(c.backup.end_time or "" for c in usable),
        latest=last.time,
        latest_lsn=last.lsn,
        timeline=int((best.last or "0")[:8], 16),
        system_id=best.backup.system_id,
        base_backups=len(usable),
        segments=archive.longest().segments,
    )


def choose(policy: Policy, value: str | None, archive: Archive, last: Commit, seed: str) -> DatabasePoint:
    """The recovery point of this policy. Raises RefusedError with the valid window when there is none.

    `value`: RFC 3339 time for `timestamp`, one of EDGES or None for `edge`. `seed` makes `random` and `edge` repeatable.
    """
    frozen = window(archive, last)
    if policy == "latest":
        return _at_commit(archive, last, frozen)
    if policy == "timestamp":
        return _at_time(archive, utc(value or ""), last, frozen)
    if policy == "random":
        return _at_time(archive, _random_time(archive, last, frozen, seed), last, frozen)
    return _at_time(archive, _edge_time(archive, value, frozen, seed), last, frozen)


def _at_commit(archive: Archive, last: Commit, frozen: Window) -> DatabasePoint:
    position = lsn.parse(last.lsn)
    number = position // archive.segment_bytes
    fitting = [
        c
        for c in archive.chains()
        if c.usable
        and c.backup.end_lsn
        and lsn.parse(c.backup.end_lsn) < position
        and _numbers(archive, c)[0] <= number <= _numbers(archive, c)[1]
    ]
    if not fitting:
        raise RefusedError(
            f"The last archived commit {last.lsn} ({last.time}) lies before the end of every usable base backup.",
            "Wait until a transaction after the newest base backup is archived.",
        )
    chosen = max(fitting, key=lambda c: c.backup.end_time or "")
    return _point(archive, chosen, last.time, last.lsn, number, frozen)


def _at_time(archive: Archive, target: datetime, last: Commit, frozen: Window) -> DatabasePoint:
    fitting = [c for c in archive.chains() if c.usable and utc(c.backup.end_time or "") <= target < _reach(archive, c, last)]
    if not fitting:
        gaps = "".join(f"; WAL {c.gap.first} to {c.gap.last} is missing after base backup {c.backup.id}" for c in archive.chains() if c.gap)
        raise RefusedError(
            f"The database cannot be restored to {rfc3339(target)}: the recoverable window is {frozen.earliest} to "
            f"{frozen.latest} (exclusive){gaps}.",
            "Choose a moment inside the window.",
        )
    chosen = max(fitting, key=lambda c: c.backup.end_time or "")
    return _point(archive, chosen, rfc3339(target), None, _uploaded_after(archive, chosen, target), frozen)


def _reach(archive: Archive, chain: Chain, last: Commit) -> datetime:
    """No commit after this moment is certain to be in the chain, and recovery by time needs one after its target."""
    if chain.last == archive.reachable().last:
        return utc(last.time)
    return utc(chain.before_last_uploaded_at or chain.backup.end_time or "")


def _numbers(archive: Archive, chain: Chain) -> tuple[int, int]:
    size = archive.segment_bytes
    return lsn.split(chain.backup.begin_segment or "", size)[1], lsn.split(chain.last or "", size)[1]


def _uploaded_after(archive: Archive, chain: Chain, moment: datetime) -> int:
    """Number of the first segment of the chain that was uploaded at the moment or later; else its last."""
    number = _numbers(archive, chain)[1]
    for name, version in archive.backwards(chain):
        if version.last_modified < moment.replace(microsecond=0):
            break
        number = lsn.split(name, archive.segment_bytes)[1]
    return number


def _point(archive: Archive, chain: Chain, time: str, position: str | None, number: int, frozen: Window) -> DatabasePoint:
    return DatabasePoint(
        window=frozen,
        backup_id=chain.backup.id,
        backup_end=chain.backup.end_time or "",
        target_time=time,
        target_lsn=position,
        replay_segments=number - _numbers(archive, chain)[0] + 1,
    )


def _random_time(archive: Archive, last: Commit, frozen: Window, seed: str) -> datetime:
    """Uniform over the usable chains that reach the end of the window."""
    start = min(utc(c.backup.end_time or "") for c in archive.chains() if c.usable and c.last == archive.reachable().last)
    microseconds = int((utc(last.time) - start) / timedelta(microseconds=1))
    if microseconds <= 0:
        raise RefusedError(f"The recoverable window {frozen.earliest} to {frozen.latest} has no moment in it.", "Wait for more WAL.")
    return start + timedelta(microseconds=random.Random(seed).randrange(microseconds))


def _edge_time(archive: Archive, value: str | None, frozen: Window, seed: str) -> datetime:
    if value is not None and value not in EDGES:
        raise RefusedError(f"Policy `edge` knows no {value!r}.", f"Give {' or '.join(EDGES)}, or nothing.")
    if (value or random.Random(seed).choice(EDGES)) == "earliest":
        return utc(frozen.earliest)
    uploads = [v.last_modified for _, v in archive.backwards(archive.longest())][1:]  # a commit must follow in a later segment
    spells = [(later - earlier, later) for later, earlier in pairwise(uploads)]
    return max(spells, default=(timedelta(), utc(frozen.earliest)))[1]


def simulated_incident(archive: Archive, point: DatabasePoint, fetch: Fetch) -> str:
    """The earliest loss after which this target could be reached: when the segment with the next commit was uploaded.

    For policies random, edge and timestamp. Raises FactError when a segment cannot be read.
    """
    chain = next(c for c in archive.chains() if c.backup.id == point.backup_id)
    target = utc(point.target_time)
    first = _uploaded_after(archive, chain, target)
    forwards = [item for item in archive.backwards(chain) if lsn.split(item[0], archive.segment_bytes)[1] >= first][::-1]
    data = b""
    for name, version in forwards:
        data += wal.segment(archive, name, plain(version.key, fetch(version.key, version.version_id)))
        start = lsn.split(name, archive.segment_bytes)[1] * archive.segment_bytes + archive.segment_bytes - len(data)
        if any(utc(c.time) > target for c in wal.read(data, start).commits):
            return rfc3339(version.last_modified)
        data = data[-archive.segment_bytes :]
    raise FactError(f"No archived commit follows {point.target_time}.", "Choose an earlier target.")
