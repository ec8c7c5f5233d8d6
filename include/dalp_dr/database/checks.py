"""Record kinds and checks of the database: archive, target, recovery, reached point, integrity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dalp_dr.database import comparison, integrity, recovered, recovery_point, wal_archive, wal_links
from dalp_dr.model.check import Check, CheckResult, Stage, Surface
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import RecordKind


def _where_production_is_read(plan: DrillPlan) -> tuple[str, ...]:
    return ("drill",) if plan.environment.connections.source_database and not plan.source_lost else ()


KINDS: tuple[RecordKind, ...] = (
    RecordKind("wal_archive", wal_archive.WalArchive, "preflight"),
    RecordKind("restore_target", wal_archive.RestoreTarget, "preflight", seed_row="Restore target timestamp"),
    RecordKind("wal_links", wal_links.WalLinks, "preflight"),
    RecordKind("database_recovery", recovered.DatabaseRecovery, "restore"),
    RecordKind("database_recovery_point", recovery_point.RecoveryPoint, "verify", seed_row="Database checkpoint or WAL end"),
    RecordKind("database_integrity", integrity.DatabaseIntegrity, "verify"),
    RecordKind("source_comparison", comparison.SourceComparison, "verify", _where_production_is_read),
)


def _check(
    id_: str,
    kind: str,
    stage: Stage,
    question: str,
    judge: Callable[[Any, DrillPlan], CheckResult],
    next_step: str,
    section: str,
    refuses: bool = False,
    since: int = 1,
) -> Check:
    return Check(id_, kind, Surface.DATABASE, stage, question, judge, next_step, f"database.md#{section}", refuses, since=since)


CHECKS: tuple[Check, ...] = (
    _check(
        "base_backup_fresh",
        "wal_archive",
        Stage.PREFLIGHT,
        "Is the newest usable base backup young enough?",
        wal_archive.judge_fresh,
        "Find out why no newer base backup was made (ScheduledBackup suspended, failing, archive unreachable) and take one now.",
        "stale-base-backup",
        True,
    ),
    _check(
        "wal_without_gaps",
        "wal_archive",
        Stage.PREFLIGHT,
        "Is the WAL after the base backup without a gap?",
        wal_archive.judge_gaps,
        "Find out what removed the named segments; take a new base backup, which makes the WAL after it recoverable again.",
        "wal-gap",
        True,
    ),
    _check(
        "archive_has_one_writer",
        "wal_archive",
        Stage.PREFLIGHT,
        "Has only production written into this archive?",
        wal_archive.judge_one_writer,
        "Find and stop the second writer (a clone with an archiver), remove what it wrote, take a new base backup.",
        "second-writer",
        True,
    ),
    _check(
        "target_inside_window",
        "restore_target",
        Stage.PREFLIGHT,
        "Does the target lie inside the recoverable window?",
        wal_archive.judge_target,
        "Choose a moment inside the window that the check names.",
        "target-outside-window",
        True,
    ),
    _check(
        "database_recovered",
        "database_recovery",
        Stage.RESTORE,
        "Did the database recover and become healthy?",
        recovered.judge_recovered,
        "Read the cause in the recovery pods' logs; both containers have a part of it.",
        "recovery-failed",
    ),
    _check(
        "no_archiver_in_sandbox",
        "database_recovery",
        Stage.RESTORE,
        "Does the copy leave production's archive alone?",
        recovered.judge_no_archiver,
        "Delete the copy at once, then check the archive for a second writer.",
        "second-writer",
    ),
    _check(
        "recovery_point_reached",
        "database_recovery_point",
        Stage.VERIFY,
        "Did recovery reach its target?",
        recovery_point.judge_reached,
        "Compare the last restored segment with the archive; a segment may be missing or damaged.",
        "target-not-reached",
    ),
    _check(
        "recovery_point_not_passed",
        "database_recovery_point",
        Stage.VERIFY,
        "Did recovery stop at its target?",
        recovery_point.judge_not_passed,
        "Check that the copy was recovered by this drill and from nothing younger.",
        "target-passed",
    ),
    _check(
        "same_system",
        "database_recovery_point",
        Stage.VERIFY,
        "Is it the same database system as production's?",
        recovery_point.judge_same_system,
        "Correct bucket, prefix and server name: this is another database.",
        "other-system",
    ),
    _check(
        "heartbeat_near_target",
        "database_recovery_point",
        Stage.VERIFY,
        "How exactly is the reached point known?",
        recovery_point.judge_heartbeat,
        "Find out why no heartbeat was written shortly before the target.",
        "no-heartbeat",
    ),
    _check(
        "database_integrity",
        "database_integrity",
        Stage.VERIFY,
        "Are heaps and indexes of the restored database sound?",
        integrity.judge_integrity,
        "Restore another base backup to see since when; repair or reindex the source, then back up.",
        "damaged-relation",
    ),
    _check(
        "required_tables_present",
        "database_integrity",
        Stage.VERIFY,
        "Are the tables there that DALP needs?",
        integrity.judge_tables,
        "Check that the right database was restored and that its migrations had run.",
        "missing-table",
    ),
    _check(
        "constraints_hold",
        "database_integrity",
        Stage.VERIFY,
        "Do all rows keep the constraints of their tables?",
        integrity.judge_constraints,
        "Find the rows in the restored database, and in production; validate or repair the constraint there, then back up.",
        "broken-constraint",
        since=2,
    ),
    _check(
        "sequences_ahead",
        "database_integrity",
        Stage.VERIFY,
        "Will sequences give only values that are free?",
        integrity.judge_sequences,
        "Set the sequence past the largest value (setval), in production too; find out who wrote the column by hand.",
        "sequence-behind",
        since=2,
    ),
    _check(
        "rows_match_source",
        "source_comparison",
        Stage.VERIFY,
        "Are production's rows in the copy, equal in all columns?",
        comparison.judge_rows,
        "Look at the named rows on both sides; restore an older base backup to see since when they differ.",
        "rows-differ",
        since=2,
    ),
    _check(
        "catalogue_matches_source",
        "source_comparison",
        Stage.VERIFY,
        "Does the copy consist of the same tables, functions and extensions as production?",
        comparison.judge_catalogue,
        "Check that the right database was restored; compare the named definitions on both sides.",
        "catalogue-differs",
        since=2,
    ),
    _check(
        "wal_records_linked",
        "wal_links",
        Stage.PREFLIGHT,
        "Does every WAL record follow the one before it?",
        wal_links.judge_links,
        "Find and stop the second writer (a clone with an archiver), then take a new base backup.",
        "second-writer",
        True,
        since=2,
    ),
)
