"""Facts and checks about the archive before a restore: fresh base backup, WAL without gaps, one writer, target inside the window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dalp_dr.database import lsn, point
from dalp_dr.database.archive import Archive, BaseBackup, Chain, Gap
from dalp_dr.database.wal import Commit
from dalp_dr.errors import FactError
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan, Window, utc

BACKUP_RUNS_AT_MOST = timedelta(hours=6)  # a STARTED base backup older than this is a remnant, not one that runs


@dataclass(frozen=True)
class WalArchive:
    """What the archive held at the incident time. `rewritten`: keys written twice with different content.

    `known_backups`: backup ids that the source's Backup objects explain, None when there was no source to ask;
    `source_timeline`: the source's own timeline, None likewise.
    """

    root: str
    incident_time: str
    segment_bytes: int
    segments: int
    newest_segment: str | None
    newest_uploaded_at: str | None
    backups: tuple[BaseBackup, ...]
    chains: tuple[Chain, ...]
    timelines: tuple[int, ...]
    rewritten: tuple[str, ...]
    younger_than_incident: int
    known_backups: tuple[str, ...] | None
    source_timeline: int | None


def facts_from(archive: Archive, known_backups: tuple[str, ...] | None, source_timeline: int | None) -> WalArchive:
    """The facts of kind `wal_archive`."""
    best = archive.best()
    return WalArchive(
        root=archive.root,
        incident_time=archive.incident_time,
        segment_bytes=archive.segment_bytes,
        segments=len(archive.segments),
        newest_segment=best.last if best else None,
        newest_uploaded_at=best.last_uploaded_at if best else None,
        backups=archive.backups,
        chains=archive.chains(),
        timelines=tuple(sorted({timeline for timeline, _ in archive.segments} | set(archive.histories))),
        rewritten=archive.rewritten,
        younger_than_incident=archive.younger,
        known_backups=known_backups,
        source_timeline=source_timeline,
    )


def judge_fresh(facts: WalArchive, plan: DrillPlan) -> CheckResult:
    """The newest usable base backup is young enough at the incident time."""
    limit = plan.environment.database.base_backup_max_age_hours
    expected = f"a complete base backup at most {limit:g} h old at {facts.incident_time}"
    newest = max((c.backup for c in facts.chains if c.usable), key=lambda b: b.end_time or "", default=None)
    if newest is None:
        return failed(expected, "none", [_not_usable(b, facts) for b in facts.backups])
    age = utc(facts.incident_time) - utc(newest.end_time or "")
    seen = f"base backup {newest.id} ended {newest.end_time}, {age.total_seconds() / 3600:.1f} h before"
    return expect(age <= timedelta(hours=limit), expected, seen, () if age <= timedelta(hours=limit) else (seen,))


def _not_usable(backup: BaseBackup, facts: WalArchive) -> str:
    chain = next((c for c in facts.chains if c.backup.id == backup.id), None)
    if chain and chain.missing_of_backup:
        return f"base backup {backup.id}: {chain.missing_of_backup} of its own WAL segments are missing"
    return f"base backup {backup.id}: status {backup.status}, {backup.data_bytes} bytes of data"


def judge_gaps(facts: WalArchive, plan: DrillPlan) -> CheckResult:
    """No segment is missing after the newest base backup, nor between the chosen one and the target.

    Gaps further back end the windows of older base backups only; they are told, not failed.
    """
    expected = "WAL without a gap from the newest base backup to the newest archived segment, and up to the target"
    if not facts.chains:
        return failed(expected, "no finished base backup")
    newest = max(facts.chains, key=lambda c: c.backup.end_time or "")
    findings = (
        [f"base backup {newest.backup.id}: {newest.missing_of_backup} of its own WAL segments are missing"]
        if newest.missing_of_backup
        else []
    )
    findings += [_gap(newest, newest.gap)] if newest.gap else []
    chosen = next((c for c in facts.chains if plan.database and c.backup.id == plan.database.backup_id), None)
    if plan.database and chosen is None:
        findings.append(f"base backup {plan.database.backup_id}, which the plan names, is not in the archive")
    if plan.database and chosen and not _reaches(chosen, facts.segment_bytes, plan.database.target_lsn, plan.database.target_time):
        findings.append(f"the WAL after base backup {chosen.backup.id} ends at {chosen.last or 'nothing'}, before the target")
    older = [_gap(c, c.gap) for c in facts.chains if c.gap and c is not newest]
    seen = f"{newest.segments} segments after base backup {newest.backup.id} up to {newest.last or 'none'}"
    return expect(not findings, expected, seen + (f"; {len(older)} older gaps" if older else ""), [*findings, *(older if findings else [])])


def _gap(chain: Chain, gap: Gap) -> str:
    what = f"segment {gap.first} is" if gap.segments == 1 else f"segments {gap.first} to {gap.last} ({gap.segments}) are"
    return f"{what} missing after base backup {chain.backup.id}; WAL goes on at {gap.resumes_at}"


def _reaches(chain: Chain, segment_bytes: int, target_lsn: str | None, target_time: str) -> bool:
    if chain.last is None or chain.last_uploaded_at is None:
        return False
    if target_lsn:
        return lsn.parse(target_lsn) // segment_bytes <= lsn.split(chain.last, segment_bytes)[1]
    return utc(target_time) <= utc(chain.last_uploaded_at)


def judge_one_writer(facts: WalArchive, plan: DrillPlan) -> CheckResult:
    """Only the source has written here: no key twice, one system, one timeline line, every base backup explained."""
    expected = "one server has written this archive, and every base backup has its Backup object"
    findings = [f"{key} was written more than once, with different content" for key in facts.rewritten]
    systems = sorted({b.system_id for b in facts.backups if b.system_id})
    if len(systems) > 1:
        findings.append(f"base backups of {len(systems)} different systems: {', '.join(systems)}")
    findings += [f"base backup {b.id} was begun {b.begin_time} and never finished" for b in facts.backups if _is_remnant(b, facts)]
    if facts.known_backups is not None:
        unexplained = [b for b in facts.backups if b.status == "DONE" and b.id not in facts.known_backups]
        findings += [f"base backup {b.id} ({b.end_time}) has no Backup object in the source" for b in unexplained]
    if facts.source_timeline is not None and (foreign := [t for t in facts.timelines if t > facts.source_timeline]):
        findings.append(f"the archive has timelines {foreign}, the source is on timeline {facts.source_timeline}")
    if findings:
        return failed(expected, f"{len(findings)} signs of a second writer", findings)
    seen = f"{len(facts.backups)} base backups of system {systems[0] if systems else 'unknown'}, timelines {list(facts.timelines)}"
    if facts.known_backups is None and not plan.source_lost:
        return inconclusive(expected, f"{seen}; the source's Backup objects could not be read")
    return expect(bool(facts.backups), expected, seen)


def _is_remnant(backup: BaseBackup, facts: WalArchive) -> bool:
    """Not finished, and not the newest one that may still run on the same system."""
    if backup.status == "DONE":
        return False
    if backup.system_id not in {b.system_id for b in facts.backups if b.status == "DONE"}:
        return True
    begun = utc(backup.begin_time) if backup.begin_time else None
    return begun is None or utc(facts.incident_time) - begun > BACKUP_RUNS_AT_MOST or backup.id != facts.backups[-1].id


@dataclass(frozen=True)
class RestoreTarget:
    """The frozen target beside the window as the bucket shows it in preflight. `window` is None where nothing is recoverable."""

    policy: str
    incident_time: str
    target_time: str
    target_lsn: str | None
    backup_id: str
    backup_end: str
    replay_segments: int
    window: Window | None
    backup_usable: bool
    backup_end_seen: str | None


def restore_target(plan: DrillPlan, archive: Archive, last: Commit | None) -> RestoreTarget:
    """The facts of kind `restore_target`. `last` is None where no commit could be read."""
    chosen = plan.database
    if chosen is None:
        raise FactError("The plan has no recovery point of the database.", "Choose the surface `database`.")
    chain = next((c for c in archive.chains() if c.backup.id == chosen.backup_id), None)
    return RestoreTarget(
        policy=plan.policy,
        incident_time=plan.incident_time,
        target_time=chosen.target_time,
        target_lsn=chosen.target_lsn,
        backup_id=chosen.backup_id,
        backup_end=chosen.backup_end,
        replay_segments=chosen.replay_segments,
        window=point.window(archive, last) if last and archive.best() else None,
        backup_usable=bool(chain and chain.usable),
        backup_end_seen=chain.backup.end_time if chain else None,
    )


def judge_target(facts: RestoreTarget, plan: DrillPlan) -> CheckResult:
    """The target lies inside the window: after the end of its base backup, at or before the last archived commit."""
    if facts.window is None:
        return failed("a recoverable window around the target", "the archive has none")
    window = facts.window
    expected = f"target inside {window.earliest} to {window.latest}, after the end of a usable base backup"
    findings = []
    if not facts.backup_usable:
        findings.append(f"base backup {facts.backup_id} is not usable any more")
    if facts.backup_end_seen and utc(facts.target_time) < utc(facts.backup_end_seen):
        findings.append(f"target {facts.target_time} is before the end of base backup {facts.backup_id} ({facts.backup_end_seen})")
    if utc(facts.target_time) > utc(window.latest):
        findings.append(f"target {facts.target_time} is after the last archived commit ({window.latest})")
    if facts.target_lsn is None and utc(facts.target_time) == utc(window.latest):
        findings.append(f"no archived commit follows target {facts.target_time}, so recovery by time cannot stop there")
    if facts.target_lsn and lsn.parse(facts.target_lsn) > lsn.parse(window.latest_lsn):
        findings.append(f"target {facts.target_lsn} is after the last archived commit {window.latest_lsn}")
    if utc(facts.target_time) > utc(facts.incident_time):
        findings.append(f"target {facts.target_time} is after the incident time {facts.incident_time}")
    at = f" ({facts.target_lsn})" if facts.target_lsn else ""
    return expect(not findings, expected, f"policy {facts.policy}: {facts.target_time}{at}, from base backup {facts.backup_id}", findings)
