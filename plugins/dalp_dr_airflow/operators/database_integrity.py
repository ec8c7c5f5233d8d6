"""The restored database's own soundness: every page, every constraint, every sequence, in several sessions at once."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from dalp_dr.database import integrity, relations
from dalp_dr.errors import DrillError
from dalp_dr.model.check import Surface
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.progress import Progress

if TYPE_CHECKING:
    from airflow.sdk import Context

PART_SECONDS = 1500  # of one part of the work; a part reads 128 MB, or one index with all rows of its table
GIB = 1024**3


class DatabaseIntegrityOperator(DrillOperator):
    """Checksums, amcheck over all relations, exact counts and digests, constraints, sequences, required tables.

    :param sessions: how many sessions work beside each other in the restored database.
    """

    surface = Surface.DATABASE

    def __init__(self, *, sessions: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sessions = sessions

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("database_integrity", lambda: self.integrity(drill))

    def integrity(self, drill: Drill) -> Gathered:
        rows = drill.sql("settings", "relations", "inventory", "sequences")
        listed = relations.read(rows["relations"])
        budget = int(drill.plan.environment.database.index_check_gib * GIB)
        chosen = relations.deep(listed, budget, drill.plan.random_seed)
        began = time.monotonic()
        drill.sql_change("integrity_begin")
        try:
            answers = self.answers(drill, relations.parts(listed, chosen))
        finally:
            drill.sql_change("integrity_end")
        found = integrity.facts_from(
            rows["settings"],
            rows["inventory"],
            rows["sequences"],
            listed,
            answers,
            deep_indexes=len(chosen),
            seconds=round(time.monotonic() - began, 3),
            sessions=self.sessions,
        )
        return Gathered("database_integrity", found)

    def answers(self, drill: Drill, parts: Iterable[relations.Part]) -> list[integrity.Answer]:
        """Every part's answer, the largest asked for first."""
        wanted = list(parts)
        progress = Progress(self.log, "integrity", sum(p.bytes_ for p in wanted), "MB", 1024**2)
        found = []
        with ThreadPoolExecutor(max_workers=self.sessions) as pool:
            for done in as_completed([pool.submit(self.ask, drill, p) for p in wanted]):
                found.append(done.result())
                progress.step(found[-1].part.bytes_)
        return found

    @staticmethod
    def ask(drill: Drill, part: relations.Part) -> integrity.Answer:
        try:
            rows = drill.sql(part.text, timeout_seconds=PART_SECONDS, variables=dict(part.variables))[part.text]
        except DrillError as error:
            return integrity.Answer(part, (), error.diagnostics())
        return integrity.Answer(part, rows)
