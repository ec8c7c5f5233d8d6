"""Production's archive before and after: whoever wrote into it while the copy lived, the drill fails and on-call is paged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dalp_dr.database import archive, archive_after
from dalp_dr.model.check import Surface, Verdict
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.breach import end_at_once

if TYPE_CHECKING:
    from airflow.sdk import Context

SECOND_WRITER = "database.md#second-writer"
ENDED = frozenset(("completed", "failed"))


def listed_before(drill: Drill) -> Gathered:
    """The archive as it is when the drill begins; a rerun keeps the first look."""
    known = [r for r in drill.records() if r.kind == "archive_before" and r.facts is not None] if drill.attempt > 1 else []
    facts = (
        drill.facts("archive_before") if known else archive_after.before(drill.catalog.objects(), archive.root(drill.environment.database))
    )
    return Gathered("archive_before", facts)


class ArchiveAfterOperator(DrillOperator):
    """Lists the archive again and compares it with what it was in preflight."""

    surface = Surface.DATABASE

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("archive_after", lambda: self.compared(drill))

    @staticmethod
    def compared(drill: Drill) -> Gathered:
        database, then = drill.plan.environment.database, drill.facts("archive_before")
        path = f"/apis/postgresql.cnpg.io/v1/namespaces/{database.namespace}/backups"
        found = [] if drill.source_lost else drill.source.list(path)  # a lost production has none under way
        states = [b.get("status") or {} for b in found if b["spec"]["cluster"]["name"] == database.cluster]
        known = [s["backupId"] for s in states if s.get("backupId")]
        running = sum(s.get("phase") not in ENDED for s in states)
        rows = drill.catalog.objects()
        return Gathered("archive_after", archive_after.after(drill.plan, rows, archive.root(database), then, known, running))

    def conclude(self, drill: Drill, context: Context, gathered: Iterable[Gathered], began_at: str | None = None) -> list[dict[str, Any]]:
        """A second writer ends the drill at once, after its record is stored."""
        seen = list(gathered)
        try:
            return super().conclude(drill, context, seen, began_at)
        finally:
            for result in (archive_after.judge_untouched(g.facts, drill.plan) for g in seen if g.facts is not None):
                if result.verdict is Verdict.FAIL:
                    what = "Somebody else writes into production's archive"
                    end_at_once(drill, what, list(result.findings), "Take a new base backup of production at once.", SECOND_WRITER)
