"""What the integrity checks read, cut into parts that several sessions work through beside each other."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from dalp_dr.database.rows import Rows, integer, required, true_word

PART_BYTES = 128 * 1024**2  # one part of a large heap, and the small relations put together into one
RELATIONS_AT_MOST = 250


@dataclass(frozen=True)
class Relation:
    """One relation: `kind` is heap, index (B-tree) or other; `content`: with rows of the application; `heap_bytes`: an index's table."""

    oid: int
    kind: str
    relation: str
    name: str
    bytes_: int
    block_bytes: int
    content: bool
    heap_bytes: int = 0


@dataclass(frozen=True)
class Part:
    """One statement's work: the SQL text, what it is told, and how much it reads."""

    text: str
    variables: tuple[tuple[str, str], ...]
    relations: tuple[str, ...]
    bytes_: int


def read(rows: Rows) -> tuple[Relation, ...]:
    """The relations of relations.sql. Raises FactError."""
    return tuple(
        Relation(
            oid=integer(r, "oid"),
            kind=required(r, "kind"),
            relation=required(r, "relation"),
            name=required(r, "name"),
            bytes_=integer(r, "bytes"),
            block_bytes=integer(r, "block_bytes"),
            content=true_word(r, "content"),
            heap_bytes=integer(r, "heap_bytes"),
        )
        for r in rows
    )


def deep(relations: Iterable[Relation], budget_bytes: int, seed: str) -> frozenset[int]:
    """Oids of the B-tree indexes to compare with all rows: all of them, or a seeded sample that fits the budget."""
    indexes = [r for r in relations if r.kind == "index"]
    if sum(r.bytes_ for r in indexes) <= budget_bytes:
        return frozenset(r.oid for r in indexes)
    random.Random(f"{seed}/indexes").shuffle(indexes)
    chosen, left = set(), budget_bytes
    for index in indexes:
        if index.bytes_ <= left:
            chosen.add(index.oid)
            left -= index.bytes_
    return frozenset(chosen)


def parts(relations: Iterable[Relation], chosen: frozenset[int], part_bytes: int = PART_BYTES) -> tuple[Part, ...]:
    """Everything to do, largest part first, so that the sessions end together. Every relation is in at least one part."""
    listed = tuple(relations)
    read = [replace(r, bytes_=r.bytes_ + r.heap_bytes) if r.oid in chosen else r for r in listed]  # such an index is read with its table
    found = [_pages(group, chosen) for group in _groups([p for r in read for p in _pieces(r, part_bytes)], part_bytes)]
    tables = [(r, 0, 0) for r in listed if r.content]
    found += [_contents(group) for group in _groups(tables, part_bytes)]
    return tuple(sorted(found, key=lambda p: p.bytes_, reverse=True))


Piece = tuple[Relation, int, int]  # a relation and its first and last block; 0, 0 is the whole of it


def _pieces(relation: Relation, part_bytes: int) -> Iterator[Piece]:
    blocks, step = relation.bytes_ // relation.block_bytes, max(1, part_bytes // relation.block_bytes)
    if relation.kind != "heap" or blocks <= step:
        yield relation, 0, 0
        return
    for first in range(0, blocks, step):
        yield relation, first, min(first + step, blocks) - 1


def _size(piece: Piece) -> int:
    relation, first, last = piece
    return (last - first + 1) * relation.block_bytes if last else relation.bytes_


def _groups(pieces: Iterable[Piece], part_bytes: int) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    for piece in pieces:
        if group and (sum(map(_size, group)) + _size(piece) > part_bytes or len(group) == RELATIONS_AT_MOST):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _pages(group: list[Piece], chosen: frozenset[int]) -> Part:
    def oids(kind: str) -> str:
        return ",".join(str(r.oid) for r, _, _ in group if r.kind == kind)

    heaps = ",".join(f"{r.oid}:{first}:{last}" if last else f"{r.oid}::" for r, first, last in group if r.kind == "heap")
    told = {
        "heaps": heaps,
        "indexes": oids("index"),
        "deep": ",".join(str(r.oid) for r, _, _ in group if r.oid in chosen),
        "others": oids("other"),
    }
    return Part("integrity", tuple(told.items()), tuple(r.relation for r, _, _ in group), sum(map(_size, group)))


def _contents(group: list[Piece]) -> Part:
    told = (("tables", ",".join(str(r.oid) for r, _, _ in group)),)
    return Part("contents", told, tuple(r.name for r, _, _ in group), sum(map(_size, group)))
