"""The rows of production and of the copy side by side: ranges by digest, then finer ranges, then row versions, then columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from dalp_dr.database import row_versions
from dalp_dr.database.comparison import DIFFERENCES_KEPT, TableComparison
from dalp_dr.database.row_versions import Range, Table, Version
from dalp_dr.database.rows import Rows
from dalp_dr.errors import DrillError

NAMED_BY_COLUMN = 50  # differing rows whose differing columns are named
Ask = Callable[[str], Rows]


class Sides:
    """Production and the copy, asked beside each other."""

    def __init__(self, production: Ask, copy: Ask, before: int) -> None:
        self.production, self.copy, self.before = production, copy, before

    def both(self, sql: str) -> tuple[Rows, Rows]:
        with ThreadPoolExecutor(max_workers=1) as pool:
            theirs = pool.submit(self.production, sql)
            ours = self.copy(sql)
            return theirs.result(), ours

    def differing(self, parts: Sequence[Range]) -> tuple[list[Range], list[int]]:
        """Ranges whose count or digest differs, and the number of rows of each range that agrees."""
        theirs, ours = self.both(row_versions.digests_sql(parts, self.before))
        told = [{int(r["number"]): (r["rows"], r["digest"]) for r in side} for side in (theirs, ours)]
        different = [p for n, p in enumerate(parts) if told[0][n] != told[1][n]]
        return different, [int(told[0][n][0]) for n, p in enumerate(parts) if told[0][n] == told[1][n]]


def compare_tables(
    sides: Sides,
    production: dict[str, Table],
    copy: dict[str, Table],
    budget_bytes: int,
    seed: str,
    progress: Callable[[float], Callable[[float], None]],
) -> tuple[list[TableComparison], int]:
    """Every table of production; and how many bytes of it were read. A table that cannot be compared says why.

    `progress`: given the bytes to read it gives what is called with the bytes of every step.
    """
    every = {name: list(row_versions.ranges(t, max(t.blocks, copy[name].blocks if name in copy else 0))) for name, t in production.items()}
    chosen = row_versions.sample((r for ranges in every.values() for r in ranges), budget_bytes, seed)
    size = sum((r.last - r.first + 1) * r.table.block_bytes for r in chosen)
    step, found = progress(size), []
    for name, table in production.items():
        mine = [r for r in chosen if r.table.name == name]
        answer = TableComparison(name, 0, 0, 0, len(every[name]), len(mine), (), 0)
        try:
            found.append(_compare_table(sides, table, copy.get(name), mine, answer))
        except DrillError as error:
            found.append(replace(answer, error=error.diagnostics()))
        step(sum((r.last - r.first + 1) * table.block_bytes for r in mine))
    return found, size


def _compare_table(sides: Sides, table: Table, copy: Table | None, parts: list[Range], answer: TableComparison) -> TableComparison:
    if copy is None:
        return _absent_table(sides, table, answer)
    if copy.filenode != table.filenode:
        return _rewritten(sides, table, copy, answer)
    for start in range(0, len(parts), row_versions.RANGES_AT_ONCE):
        different, agreed = sides.differing(parts[start : start + row_versions.RANGES_AT_ONCE])
        answer = replace(answer, same=answer.same + sum(agreed))
        for part in different:
            fine = list(row_versions.ranges(table, part.last + 1, row_versions.FINE_BLOCKS, part.first))
            narrow, agreed = sides.differing(fine)
            answer = replace(answer, same=answer.same + sum(agreed))
            for one in narrow:
                answer = _compare_rows(sides, one, answer)
    return answer


def _absent_table(sides: Sides, table: Table, answer: TableComparison) -> TableComparison:
    """A table that the copy lacks, unless every row of it is younger than the target."""
    whole = Range(table, 0, max(table.blocks - 1, 0))
    rows = int(sides.production(row_versions.digests_sql([whole], sides.before))[0]["rows"])
    return replace(answer, differences=(f"the table is missing, with {rows} rows",) if rows else (), total_differences=int(rows > 0))


def _rewritten(sides: Sides, table: Table, copy: Table, answer: TableComparison) -> TableComparison:
    """Places mean nothing after a rewrite; equal digests over the whole table still prove it."""
    whole = Range(table, 0, max(table.blocks, copy.blocks, 1) - 1)
    different, agreed = sides.differing([whole])
    return replace(answer, same=sum(agreed), rewritten=bool(different))


def _compare_rows(sides: Sides, part: Range, answer: TableComparison) -> TableComparison:
    theirs, ours = (row_versions.versions(rows) for rows in sides.both(row_versions.versions_sql(part, sides.before)))
    found = row_versions.compare(theirs, ours)
    late = _not_committed(sides, found.absent)
    absent = [v for v in found.absent if v.writer not in late]
    wrong = [f"{_named(v)} differs{columns}" for v, columns in _with_columns(sides, part.table, found.changed)]
    wrong += [f"{_named(v)} is missing" for v in absent]
    return replace(
        answer,
        same=answer.same + found.same,
        since=answer.since + found.since,
        in_flight=answer.in_flight + len(found.absent) - len(absent),
        differences=(*answer.differences, *wrong)[:DIFFERENCES_KEPT],
        total_differences=answer.total_differences + len(wrong),
    )


def _named(version: Version) -> str:
    return f"row {version.key or '?'} at {version.place}"


def _not_committed(sides: Sides, absent: Sequence[Version]) -> set[int]:
    """Writers that the copy knows as not committed: their rows came after the target."""
    if not absent:
        return set()
    rows = sides.copy(row_versions.committed_sql(v.writer for v in absent))
    return {int(r["writer"]) for r in rows if r["status"] in {"aborted", "in progress"}}


def _with_columns(sides: Sides, table: Table, changed: Sequence[Version]) -> Iterable[tuple[Version, str]]:
    """Each differing row with the names of the columns that differ; the first ones only, so that it stays cheap."""
    some: dict[str, list[str]] = {}
    if first := [v.place for v in changed[:NAMED_BY_COLUMN]]:
        theirs, ours = ({r["place"]: r["hashes"].split(",") for r in side} for side in sides.both(row_versions.columns_sql(table, first)))
        some = {
            p: [c for c, a, b in zip(table.columns, theirs[p], ours[p], strict=True) if a != b] for p in first if p in theirs and p in ours
        }
    for version in changed:
        yield version, f" in {', '.join(some[version.place])}" if some.get(version.place) else ""
