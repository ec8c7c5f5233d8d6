"""Production's rows against the copy's, although production goes on writing: a row version never changes.

A copy made by physical recovery has the same pages. Every row version is known by its place (ctid) and the transaction that wrote it
(xmin) and is immutable. What production still has and had committed by the target must be in the copy, equal in all columns; what only the
copy has, production has changed or removed since. So both sides need not be read at one moment, and production holds no long snapshot.
Ranges of pages are compared by count and digest inside PostgreSQL; only where these differ do row versions travel, without their values.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dalp_dr.database.rows import Rows, integer, required, text
from dalp_dr.errors import FactError
from dalp_dr.model.plan import utc

RANGE_BLOCKS = 512
FINE_BLOCKS = 32
RANGES_AT_ONCE = 32
XIDS = 2**32


@dataclass(frozen=True)
class Table:
    """One table on one side; `name` and `columns` are quoted identifiers as the server wrote them."""

    name: str
    filenode: str
    blocks: int
    block_bytes: int
    hash: str
    key: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """Pages of a table, both ends included."""

    table: Table
    first: int
    last: int


@dataclass(frozen=True)
class Version:
    """A row version: place, writer, hash over all columns, and its primary key as text."""

    place: str
    writer: int
    hash: str
    key: str


@dataclass(frozen=True)
class Differences:
    """What two lists of row versions say. `absent`: (version) only production has; `since`: only the copy has."""

    same: int
    changed: tuple[Version, ...]
    absent: tuple[Version, ...]
    since: int


def tables(rows: Rows) -> dict[str, Table]:
    """The tables of comparable.sql by name. Raises FactError."""
    found = [
        Table(
            name=required(r, "name"),
            filenode=text(r, "filenode") or "",
            blocks=integer(r, "blocks"),
            block_bytes=integer(r, "block_bytes"),
            hash=required(r, "hash"),
            key=text(r, "key") or "",
            columns=tuple((text(r, "columns") or "").split(",")),
        )
        for r in rows
    ]
    return {t.name: t for t in found}


def horizon(last_commit: Rows, created_at: str) -> int:
    """The transaction after the last one that the copy has from production. `created_at`: of the copy. Raises FactError."""
    before = [integer(r, "xid") for r in last_commit if utc(required(r, "committed_at")) < utc(created_at)]
    if not before:
        raise FactError(
            "No commit of before the recovery is known, so it is unknown which of production's rows the copy must have.",
            "Set track_commit_timestamp = on in production.",
        )
    return (max(before) + 1) % XIDS


def ranges(table: Table, blocks: int, step: int = RANGE_BLOCKS, first: int = 0) -> Iterator[Range]:
    """Consecutive ranges from `first` up to `blocks`, exclusive."""
    for start in range(first, blocks, step):
        yield Range(table, start, min(start + step, blocks) - 1)


def sample(found: Iterable[Range], budget_bytes: int, seed: str) -> tuple[Range, ...]:
    """All ranges, or a seeded sample of them that reads no more than the budget; in the order of the tables."""
    every = list(found)
    order = list(range(len(every)))
    random.Random(f"{seed}/rows").shuffle(order)
    chosen, left = [], budget_bytes
    for place in order:
        size = (every[place].last - every[place].first + 1) * every[place].table.block_bytes
        if size <= left:
            chosen.append(place)
            left -= size
    return tuple(every[place] for place in sorted(chosen))


def _hash(table: Table) -> str:
    return "hash_record_extended(dalp_dr_row, 0)" if table.hash == "record" else "hashtextextended(dalp_dr_row::text, 0)"


def _where(part: Range, before: int) -> str:
    """Row versions of these pages that a transaction before the horizon wrote."""
    return f"ctid >= '({part.first},0)' and ctid < '({part.last + 1},0)' and age(xmin) > age('{before}'::xid)"


def digests_sql(parts: Iterable[Range], before: int) -> str:
    """Count and digest of each range, numbered in order."""
    each = [
        f"select {number} as number, count(*)::text as rows, coalesce(sum({_hash(p.table)}::numeric), 0)::text as digest "
        f"from only {p.table.name} dalp_dr_row where {_where(p, before)}"
        for number, p in enumerate(parts)
    ]
    return "\nunion all ".join(each)


def versions_sql(part: Range, before: int) -> str:
    """Every row version of a range."""
    key = f"left(concat_ws('/', {part.table.key}), 120)" if part.table.key else "''"
    return (
        f"select ctid::text as place, xmin::text as writer, {_hash(part.table)}::text as hash, {key} as key "
        f"from only {part.table.name} dalp_dr_row where {_where(part, before)}"
    )


def columns_sql(table: Table, places: Iterable[str]) -> str:
    """A hash of each column of some row versions."""
    each = ", ".join(f"coalesce(hashtextextended({c}::text, 0)::text, '')" for c in table.columns)
    listed = ", ".join(f"'{p}'" for p in places)
    return f"select ctid::text as place, concat_ws(',', {each}) as hashes from only {table.name} where ctid in ({listed})"


def committed_sql(writers: Iterable[int]) -> str:
    """How the copy knows these transactions: committed, aborted, or so long ago that it forgot."""
    listed = ", ".join(str(w) for w in sorted(set(writers)))
    return (
        "with n as (select pg_snapshot_xmax(pg_current_snapshot())::text::numeric as next), "
        f"w as (select unnest(array[{listed}]::bigint[])::numeric as writer) "
        f"select writer::text as writer, coalesce(pg_xact_status((next - mod(next - writer + {XIDS}, {XIDS}))::text::xid8), 'committed') "
        "as status from n, w where writer >= 3"
    )


def versions(rows: Rows) -> dict[str, Version]:
    """Row versions by place. Raises FactError."""
    found = [Version(required(r, "place"), integer(r, "writer"), required(r, "hash"), text(r, "key") or "") for r in rows]
    return {v.place: v for v in found}


def compare(production: Mapping[str, Version], copy: Mapping[str, Version]) -> Differences:
    """Both sides' row versions of one range."""
    paired = [(p, copy[p.place]) for p in production.values() if p.place in copy and copy[p.place].writer == p.writer]
    met = {p.place for p, _ in paired}
    return Differences(
        same=sum(p.hash == c.hash for p, c in paired),
        changed=tuple(p for p, c in paired if p.hash != c.hash),
        absent=tuple(p for place, p in production.items() if place not in met),
        since=sum(place not in met for place in copy),
    )
