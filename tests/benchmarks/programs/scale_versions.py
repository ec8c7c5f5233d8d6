"""One pass over a bucket of so many keys; pages and rows are made on the way and are not counted. Argument: keys."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TypeVar

from dalp_dr.object_storage.listing import Entry, parse
from dalp_dr.object_storage.walk import Row, Walk
from side import cpu_seconds, report
from version_pages import FAULTS, POINT, bodies, rows

keys, prefix = int(sys.argv[1]), "documents/00/"
making = 0.0
T = TypeVar("T")


def counted_apart(made: Iterator[T]) -> Iterator[T]:
    """The items; the seconds it took to make them are put aside."""
    global making
    while True:
        before = cpu_seconds()
        item = next(made, None)
        making += cpu_seconds() - before
        if item is None:
            return
        yield item


def in_batches(made: Iterator[Row]) -> Iterator[list[Row]]:
    """A thousand rows at a time, so that reading the clock costs nothing."""
    batch: list[Row] = []
    for row in made:
        batch.append(row)
        if len(batch) == 1000:
            yield batch
            batch = []
    yield batch


def entries() -> Iterator[Entry]:
    for _, body in counted_apart(bodies(prefix, keys)):
        yield from parse(body).entries


began = cpu_seconds()
walked = Walk(POINT, "seed", share=0.0).over(entries(), (row for batch in counted_apart(in_batches(rows(prefix, keys))) for row in batch))
seconds = cpu_seconds() - began - making
assert walked.rows == keys and len(walked.answers) == len(FAULTS)
report(items=walked.versions + walked.delete_markers, cpu_seconds=seconds)
