"""Facts and checks that prove which point the restored database reached: timeline, stop position, commits and heartbeat.

What survives a recovery and a restart: the history file, commit timestamps, rows, pg_control. `pg_last_xact_replay_timestamp`
and its like are NULL by then. Commits of the recovered server itself (new passwords, extensions) are younger than its creation
and told apart by that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.database import lsn
from dalp_dr.database.rows import Rows, integer, one, required, text, true
from dalp_dr.errors import FactError
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan, utc

LARGEST_COMMIT_RECORD_BYTES = 1 << 20
HEARTBEAT_EXPECTED_SECONDS = 60
_HISTORY = re.compile(r"^\s*(\d+)\t([0-9A-F]+/[0-9A-F]+)\t(.*)$")


@dataclass(frozen=True)
class RecoveryPoint:
    """Where the restored server stands. Times UTC, RFC 3339: commit and heartbeat times by the source database's clock.

    `parent_timeline`, `switch_lsn`, `reason`: last line of the history file. `newest_commit`: newest commit timestamp from before
    the copy was created; `commits_after_target`: such commits that are younger than the target. `heartbeat_at` is None when there
    is no heartbeat row; `heartbeat_error` and `commit_error` say why a fact could not be had.
    """

    in_recovery: bool
    timeline: int
    parent_timeline: int | None
    switch_lsn: str | None
    reason: str | None
    checkpoint_lsn: str
    system_id: str
    created_at: str
    track_commit_timestamp: bool
    newest_commit: str | None
    newest_commit_xid: str | None
    commits_after_target: tuple[str, ...]
    commit_error: str | None
    heartbeat_at: str | None
    heartbeat_id: str | None
    heartbeat_error: str | None


def facts_from(
    plan: DrillPlan, recovery: Rows, heartbeat: Rows | None, last_commit: Rows | None, settings: Rows, cluster: Mapping[str, Any]
) -> RecoveryPoint:
    """The facts of kind `database_recovery_point`. None for heartbeat or last_commit: that SQL text failed. Raises FactError."""
    state = one(recovery, "recovery.sql")
    created = str(cluster["metadata"].get("creationTimestamp") or "")
    if not created:
        raise FactError("The recovered Cluster has no creationTimestamp.", "Look at the Cluster object.")
    parent, switch, reason = _history(text(state, "history"))
    before = [
        (required(r, "committed_at"), required(r, "xid")) for r in last_commit or () if utc(required(r, "committed_at")) < utc(created)
    ]
    newest = max(before, default=(None, None), key=lambda pair: pair[0] or "")
    beat = heartbeat[0] if heartbeat else None
    return RecoveryPoint(
        in_recovery=true(state, "in_recovery"),
        timeline=integer(state, "timeline"),
        parent_timeline=parent,
        switch_lsn=switch,
        reason=reason,
        checkpoint_lsn=required(state, "checkpoint_lsn"),
        system_id=required(state, "system_id"),
        created_at=created,
        track_commit_timestamp=true(one(settings, "settings.sql"), "track_commit_timestamp"),
        newest_commit=newest[0],
        newest_commit_xid=newest[1],
        commits_after_target=_after(plan, before),
        commit_error=_commit_error(last_commit, before),
        heartbeat_at=required(beat, "at") if beat else None,
        heartbeat_id=required(beat, "id") if beat else None,
        heartbeat_error="heartbeat.sql failed" if heartbeat is None else None,
    )


def _history(content: str | None) -> tuple[int | None, str | None, str | None]:
    lines = [m for line in (content or "").splitlines() if (m := _HISTORY.match(line))]
    return (int(lines[-1][1]), lines[-1][2], lines[-1][3].strip()) if lines else (None, None, None)


def _after(plan: DrillPlan, before: list[tuple[str, str]]) -> tuple[str, ...]:
    if plan.database is None:
        return ()
    target = utc(plan.database.target_time)
    return tuple(sorted(f"transaction {xid} committed {at}" for at, xid in before if utc(at) > target))


def _commit_error(last_commit: Rows | None, before: list[tuple[str, str]]) -> str | None:
    if last_commit is None:
        return "last_commit.sql failed"
    return None if before else f"none of the {len(last_commit)} newest commits is older than the copy"


def judge_reached(facts: RecoveryPoint, plan: DrillPlan) -> CheckResult:
    """Recovery ended by switching timeline at the target, not before it, and data up to there is present."""
    target = plan.database
    if target is None:
        return inconclusive("the database's recovery point", "the plan has none")
    expected = f"promoted from timeline {target.window.timeline} at {target.target_lsn or target.target_time}"
    findings = []
    if facts.in_recovery:
        findings.append("the server is still in recovery")
    if facts.parent_timeline != target.window.timeline or facts.timeline <= target.window.timeline:
        findings.append(f"timeline {facts.timeline} from parent {facts.parent_timeline}, expected a switch from {target.window.timeline}")
    findings += _stop(facts, target.target_lsn, target.target_time)
    if facts.newest_commit and target.target_lsn and utc(facts.newest_commit) < utc(target.target_time):
        findings.append(f"newest commit is {facts.newest_commit}, the target's is {target.target_time}")
    seen = f"timeline {facts.timeline}, switched at {facts.switch_lsn} ({facts.reason}), {_precision(facts, target.target_time)}"
    if findings:
        return failed(expected, seen, findings)
    if facts.newest_commit is None and facts.heartbeat_at is None:
        return inconclusive(expected, f"{seen}; {facts.commit_error}")
    return expect(True, expected, seen)


def _stop(facts: RecoveryPoint, target_lsn: str | None, target_time: str) -> list[str]:
    """What the history file's reason says against the target; `after LSN <target>`, or `before <first commit after the target>`."""
    if facts.reason is None or facts.switch_lsn is None:
        return ["there is no history file: the server never left the source's timeline"]
    if target_lsn is not None:
        begin, end = lsn.parse(target_lsn), lsn.parse(facts.switch_lsn)
        wrong = [] if facts.reason == f"after LSN {lsn.show(begin)}" else [f"recovery stopped {facts.reason!r}, not after LSN {target_lsn}"]
        return wrong + (
            []
            if begin < end <= begin + LARGEST_COMMIT_RECORD_BYTES
            else [f"timeline switched at {facts.switch_lsn}, not just after {target_lsn}"]
        )
    stopped = re.fullmatch(r"before (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d(?::?\d\d)?)", facts.reason)
    if stopped is None:
        return [f"recovery stopped {facts.reason!r}, not before the first commit after {target_time}"]
    return [] if utc(stopped[1]) > utc(target_time) else [f"recovery stopped before {stopped[1]}, too early"]


def _precision(facts: RecoveryPoint, target_time: str) -> str:
    """How exactly the point is known: to the commit, to the heartbeat, or by WAL position alone."""
    parts = []
    if facts.newest_commit:
        parts.append(f"newest commit {facts.newest_commit} ({(utc(target_time) - utc(facts.newest_commit)).total_seconds():.3f} s before)")
    if facts.heartbeat_at:
        lag = (utc(target_time) - utc(facts.heartbeat_at)).total_seconds()
        parts.append(f"heartbeat {facts.heartbeat_at} ({lag:.3f} s before)")
    else:
        parts.append("no heartbeat: known by commit timestamp and WAL position")
    return ", ".join(parts)


def judge_not_passed(facts: RecoveryPoint, plan: DrillPlan) -> CheckResult:
    """Nothing younger than the target is in the copy."""
    if plan.database is None:
        return inconclusive("the database's recovery point", "the plan has none")
    target = plan.database.target_time
    expected = f"no commit and no heartbeat after {target}"
    findings = list(facts.commits_after_target)
    if facts.heartbeat_at and utc(facts.heartbeat_at) > utc(target):
        findings.append(f"heartbeat {facts.heartbeat_id} is from {facts.heartbeat_at}")
    if findings:
        return failed(expected, f"{len(findings)} younger than the target", findings)
    if facts.commit_error and facts.heartbeat_at is None:
        return inconclusive(expected, f"{facts.commit_error}; {facts.heartbeat_error or 'no heartbeat row'}")
    return expect(True, expected, f"newest commit {facts.newest_commit or 'unknown'}, newest heartbeat {facts.heartbeat_at or 'none'}")


def judge_same_system(facts: RecoveryPoint, plan: DrillPlan) -> CheckResult:
    """The restored server descends from the source's own initdb."""
    if plan.database is None:
        return inconclusive("the source's system identifier", "the plan has no recovery point")
    wanted = plan.database.window.system_id
    return expect(facts.system_id == wanted, f"system identifier {wanted}", facts.system_id)


def judge_heartbeat(facts: RecoveryPoint, plan: DrillPlan) -> CheckResult:
    """Where production writes a heartbeat, its newest restored row is close to the target; without one the precision is told."""
    if plan.database is None:
        return inconclusive("a heartbeat near the target", "the plan has no recovery point")
    expected = f"heartbeat at most {HEARTBEAT_EXPECTED_SECONDS} s before the target, or a known newest commit"
    if facts.heartbeat_at is None:
        seen = _precision(facts, plan.database.target_time)
        return expect(True, expected, seen) if facts.newest_commit else inconclusive(expected, f"{seen}; {facts.commit_error}")
    lag = (utc(plan.database.target_time) - utc(facts.heartbeat_at)).total_seconds()
    return expect(
        lag <= HEARTBEAT_EXPECTED_SECONDS, expected, f"heartbeat {facts.heartbeat_id} of {facts.heartbeat_at}, {lag:.3f} s before"
    )
