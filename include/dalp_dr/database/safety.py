"""Record kinds and checks about the archive that production goes on writing while its copy lives beside it."""

from __future__ import annotations

from dalp_dr.database import archive_after
from dalp_dr.model.check import Check, Stage, Surface
from dalp_dr.model.record import RecordKind

KINDS: tuple[RecordKind, ...] = (
    RecordKind("archive_before", archive_after.ArchiveBefore, "preflight"),
    RecordKind("archive_after", archive_after.ArchiveAfter, "measure"),
)

CHECKS: tuple[Check, ...] = (
    Check(
        "archive_untouched",
        "archive_after",
        Surface.DATABASE,
        Stage.MEASURE,
        "Did the drill leave production's archive as it was?",
        archive_after.judge_untouched,
        "Stop every copy that archives; take a new base backup of production at once, before anything else.",
        "database.md#second-writer",
        since=2,
    ),
)
