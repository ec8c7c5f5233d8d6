"""Does each WAL record of the archive follow the one before it? Two servers in one archive leave a record that does not.

Neither names nor sizes tell: a second writer's segment may stand where production's should, and recovery ends there, minutes into the
restore. Every record names the place of the one before it; that link is followed through each segment and from segment to segment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dalp_dr.database import lsn, wal
from dalp_dr.database.archive import Archive, Chain, plain
from dalp_dr.errors import FactError, RefusedError
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan

SEGMENTS_AT_MOST = 48  # newest first; a full segment costs about a second to follow


@dataclass(frozen=True)
class WalLinks:
    """Segments of the chosen base backup's chain, and those whose records were followed, newest first."""

    backup_id: str
    segments: int
    followed: int
    newest: str | None
    oldest: str | None
    records: int
    broken: tuple[str, ...]


def follow(archive: Archive, chain: Chain, fetch: wal.Fetch, step: Callable[[float], None] = lambda done: None) -> WalLinks:
    """Follows the newest segments of a chain. A segment that cannot be parsed is a broken one. Raises FactError where it cannot be read."""
    broken: list[str] = []
    names: list[str] = []
    records, later = 0, None  # `later`: (segment, what its first record names as the one before)
    for name, version in archive.backwards(chain):
        if len(names) == SEGMENTS_AT_MOST:
            break
        stored = fetch(version.key, version.version_id)
        names.append(name)
        try:
            found = wal.links(wal.segment(archive, name, plain(version.key, stored)), _start(archive, name))
        except FactError as error:
            broken.append(f"{name}: {error}")
            later = None
        else:
            records += found.records
            if later and found.last is not None and later[1] != found.last:
                broken.append(
                    f"{later[0]}: its first record follows {lsn.show(later[1])}, the last record of {name} is at {lsn.show(found.last)}"
                )
            later = (name, found.first_link) if found.first_link is not None else (later if found.last is None else None)
        step(archive.segment_bytes)
    return WalLinks(
        chain.backup.id, chain.segments, len(names), names[0] if names else None, names[-1] if names else None, records, tuple(broken)
    )


def _start(archive: Archive, name: str) -> int:
    return lsn.split(name, archive.segment_bytes)[1] * archive.segment_bytes


def facts_from(plan: DrillPlan, archive: Archive, fetch: wal.Fetch, step: Callable[[float], None] = lambda done: None) -> WalLinks:
    """The facts of kind `wal_links`, for the base backup the plan names. Raises RefusedError, FactError."""
    chosen = plan.database.backup_id if plan.database else None
    chain = next((c for c in archive.chains() if c.backup.id == chosen), None)
    if chain is None:
        raise RefusedError("The plan's base backup is not in the archive.", "Read what the plan task says about the archive.")
    return follow(archive, chain, fetch, step)


def judge_links(facts: WalLinks, plan: DrillPlan) -> CheckResult:
    """Every record that was followed names the one before it, over the borders of segments too."""
    expected = "every WAL record follows the one before it"
    seen = f"{facts.records} records in {facts.followed} of {facts.segments} segments after base backup {facts.backup_id}"
    seen += f", {facts.oldest} to {facts.newest}" if facts.newest else ""
    if facts.broken:
        return failed(expected, f"{seen}; {len(facts.broken)} broken links", facts.broken)
    return expect(True, expected, seen) if facts.records else inconclusive(expected, f"{seen}: nothing was followed")
