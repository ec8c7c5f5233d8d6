"""The restored database against production itself, where production can be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dalp_dr.database import comparison, row_versions
from dalp_dr.database.side_by_side import Sides, compare_tables
from dalp_dr.model.check import Surface
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.progress import Progress

if TYPE_CHECKING:
    from airflow.sdk import Context

RANGE_SECONDS = 300
GIB = 1024**3


class SourceComparisonOperator(DrillOperator):
    """Every row version and every definition that production still has unchanged, against the copy."""

    surface = Surface.DATABASE

    def in_scope(self, drill: Drill) -> bool:
        plan = drill.plan
        return super().in_scope(drill) and plan.environment.connections.source_database is not None and not plan.source_lost

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("source_comparison", lambda: self.compare(drill))

    def compare(self, drill: Drill) -> Gathered:
        plan, began, source = drill.plan, time.monotonic(), drill.source_database
        cluster = drill.cnpg.cluster(plan.namespace(plan.database_role), plan.environment.database.cluster)
        before = row_versions.horizon(drill.sql("last_commit")["last_commit"], cluster["metadata"]["creationTimestamp"])
        told = {"horizon": str(before)}
        ours = drill.sql("comparable", "catalogue", variables=told)
        theirs = {name: source.rows(drill.sql_text(name), told) for name in ("comparable", "catalogue")}
        sides = Sides(
            lambda sql: source.rows(sql, timeout_seconds=RANGE_SECONDS),
            lambda sql: drill.sql_rows(sql, RANGE_SECONDS),
            before,
        )
        production, copy = row_versions.tables(theirs["comparable"]), row_versions.tables(ours["comparable"])
        budget = int(plan.environment.database.comparison_gib * GIB)
        found, read = compare_tables(sides, production, copy, budget, plan.random_seed, self.progress)
        facts = comparison.facts_from(
            before,
            found,
            copy.keys() - production.keys(),
            comparison.defined(theirs["catalogue"]),
            comparison.defined(ours["catalogue"]),
            read,
            round(time.monotonic() - began, 3),
        )
        return Gathered("source_comparison", facts)

    def progress(self, total_bytes: float) -> Callable[[float], None]:
        return Progress(self.log, "rows", total_bytes, "MB", 1024**2).step
