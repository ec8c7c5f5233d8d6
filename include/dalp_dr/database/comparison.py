"""Facts and checks about the copy against production itself: every row version, and the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dalp_dr.database.rows import Rows, required, true_word
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan

DIFFERENCES_KEPT = 10_000


@dataclass(frozen=True)
class TableComparison:
    """One table. Rows: `same` in all columns; `since`: the copy's, changed or removed by production since; `in_flight`: production's,
    of transactions that had not committed at the target. `rewritten`: its pages were written anew since, so that places cannot be compared.
    `total_differences` counts what `differences` may not hold in full. `error` says why there is no answer.
    """

    name: str
    same: int
    since: int
    in_flight: int
    ranges: int
    ranges_compared: int
    differences: tuple[str, ...]
    total_differences: int
    rewritten: bool = False
    error: str | None = None


@dataclass(frozen=True)
class Defined:
    """An object of the catalogue; `settled`: untouched since the target."""

    kind: str
    name: str
    digest: str
    settled: bool


@dataclass(frozen=True)
class SourceComparison:
    """`horizon`: number of the first transaction the copy cannot have. `only_source`, `only_copy`: tables of one side alone."""

    horizon: int
    tables: tuple[TableComparison, ...]
    only_copy: tuple[str, ...]
    objects_compared: int
    objects_changed_since: int
    objects_missing: tuple[str, ...]
    objects_different: tuple[str, ...]
    objects_only_in_copy: tuple[str, ...]
    bytes_read: int = 0
    seconds: float | None = None


def defined(rows: Rows) -> dict[tuple[str, str], Defined]:
    """The objects of catalogue.sql by kind and name. Raises FactError."""
    found = [Defined(required(r, "kind"), required(r, "name"), required(r, "digest"), true_word(r, "settled")) for r in rows]
    return {(d.kind, d.name): d for d in found}


def facts_from(
    horizon: int,
    tables: Iterable[TableComparison],
    only_copy: Iterable[str],
    production: dict[tuple[str, str], Defined],
    copy: dict[tuple[str, str], Defined],
    bytes_read: int = 0,
    seconds: float | None = None,
) -> SourceComparison:
    """The facts of kind `source_comparison`."""
    settled = {at: d for at, d in production.items() if d.settled}
    return SourceComparison(
        horizon=horizon,
        tables=tuple(sorted(tables, key=lambda t: t.name)),
        only_copy=tuple(sorted(only_copy)),
        objects_compared=sum(at in copy for at in settled),
        objects_changed_since=len(production) - len(settled),
        objects_missing=tuple(sorted(f"{kind} {name}" for kind, name in settled if (kind, name) not in copy)),
        objects_different=tuple(sorted(f"{k} {n}" for (k, n), d in settled.items() if (k, n) in copy and copy[k, n].digest != d.digest)),
        objects_only_in_copy=tuple(sorted(f"{kind} {name}" for kind, name in copy if (kind, name) not in production)),
        bytes_read=bytes_read,
        seconds=seconds,
    )


def judge_rows(facts: SourceComparison, plan: DrillPlan) -> CheckResult:
    """Every row version that production still has and had committed by the target is in the copy, equal in all columns."""
    expected = "every row that production has unchanged since the target, equal in all columns"
    same, since = sum(t.same for t in facts.tables), sum(t.since for t in facts.tables)
    parts, compared = sum(t.ranges for t in facts.tables), sum(t.ranges_compared for t in facts.tables)
    seen = f"{len(facts.tables)} tables, {same} rows equal, {since} changed or removed by production since"
    seen += f", a sample of {compared} of {parts} ranges" if compared < parts else ""
    wrong = [f"{t.name}: {d}" for t in facts.tables for d in t.differences]
    if total := sum(t.total_differences for t in facts.tables):
        return failed(expected, f"{seen}; {total} differences", wrong)
    unread = [f"{t.name}: {t.error}" for t in facts.tables if t.error]
    unread += [f"{t.name}: rewritten in production since the target, and its digest differs" for t in facts.tables if t.rewritten]
    if unread:
        return inconclusive(expected, f"{seen}; {len(unread)} tables could not be compared", unread)
    if not same:
        return inconclusive(expected, f"{seen}: nothing was proven")
    return expect(True, expected, seen)


def judge_catalogue(facts: SourceComparison, plan: DrillPlan) -> CheckResult:
    """Tables, columns, indexes, constraints, functions, triggers, types and extensions are production's, unless it changed them since."""
    expected = "every object and extension that production has unchanged since the target, with the same definition"
    seen = f"{facts.objects_compared} objects compared, {facts.objects_changed_since} changed in production since"
    seen += f", {len(facts.objects_only_in_copy)} that production no longer has" if facts.objects_only_in_copy else ""
    wrong = [f"{what} is missing" for what in facts.objects_missing] + [f"{what} is defined otherwise" for what in facts.objects_different]
    if wrong:
        return failed(expected, f"{seen}; {len(wrong)} differences", wrong)
    return expect(True, expected, seen) if facts.objects_compared else inconclusive(expected, f"{seen}: nothing was proven")
