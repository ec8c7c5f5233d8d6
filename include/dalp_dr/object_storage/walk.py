"""One pass over a listing beside the rows that name its objects: both in order of key, neither held.

The pass answers each row from the listing alone and counts what is settled by that. What differs, and a seeded share of what
does not, is kept for reading.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

from dalp_dr.errors import FactError
from dalp_dr.object_storage.listing import Entry

UPLOAD_SECONDS = 5  # between an object's upload and the commit of its row; younger changes are not held against anybody
NONCURRENT_READS = 5
AMBIGUOUS_NAMED = 100
MOST_ANSWERS = 5_000  # of one pass; of a bucket that is gone the first few thousand rows say enough
PROGRESS_EVERY = 50_000
SECOND_OF = attrgetter("second")
SECONDS = "%Y-%m-%dT%H:%M:%S"


class Row(NamedTuple):
    """A row of the restored database that names an object. `etag` is None where the profile keeps none."""

    id: str
    kind: str
    key: str
    version_id: str | None
    size_bytes: int
    sha256: str
    etag: str | None = None


@dataclass(frozen=True)
class VersionAt:
    """What was current at the point: a version, a delete marker, or (version_id None) nothing.

    `ambiguous`: another entry of the same second, or a change so close to the point that its row may not be committed yet.
    """

    version_id: str | None
    is_delete_marker: bool
    last_modified: str | None
    ambiguous: bool


NOTHING = VersionAt(None, False, None, False)


class Answer(NamedTuple):
    """A row beside the listing. `listed` is None when the listing does not have the version."""

    row: Row
    listed: Entry | None
    current: VersionAt
    settled: bool


@dataclass
class Walked:
    """What one pass found. `answers`: of the rows that are not settled, and of the share that is kept, at most MOST_ANSWERS."""

    keys: int = 0
    versions: int = 0
    delete_markers: int = 0
    present: int = 0  # keys with a version at the point
    younger: int = 0
    with_checksum: int = 0
    ambiguous: int = 0
    ambiguous_keys: list[str] = field(default_factory=list)
    rows: int = 0
    settled: int = 0
    answers: list[Answer] = field(default_factory=list)
    beyond: int = 0  # rows that are not settled and were not kept, since MOST_ANSWERS were
    noncurrent_population: int = 0
    noncurrent: list[Entry] = field(default_factory=list)


class Walk:
    """A pass at one moment. `share`: of the settled rows, how many are kept for reading; by a hash of seed and key."""

    def __init__(self, moment: datetime, seed: str, share: float = 1.0, progress: Callable[[Walked], None] | None = None) -> None:
        second = moment.replace(microsecond=0)
        self.at, self.close = second.strftime(SECONDS), (second - timedelta(seconds=UPLOAD_SECONDS)).strftime(SECONDS)
        self.seed, self.limit, self.progress = seed, share * 2**32, progress
        self.random = random.Random(seed)

    def over(self, entries: Iterable[Entry], rows: Iterable[Row]) -> Walked:
        """The pass. Raises FactError where the listing is not in order of key."""
        found, last, next_told = Walked(), "", PROGRESS_EVERY
        by_key = groupby(rows, key=lambda row: row.key)
        waiting = _next(by_key)
        for key, group in groupby(entries, key=itemgetter(0)):
            versions = list(group)
            if key <= last and found.keys:
                raise FactError(f"The listing is not in order of key: {key} comes after {last}.", "Look at the object store's version.")
            last = key
            current = self._count(found, versions)
            while waiting is not None and waiting[0] < key:
                self._answer(found, waiting[1], (), NOTHING)
                waiting = _next(by_key)
            if waiting is not None and waiting[0] == key:
                self._answer(found, waiting[1], versions, current)
                waiting = _next(by_key)
            if self.progress and found.versions + found.delete_markers >= next_told:
                self.progress(found)
                next_told += PROGRESS_EVERY
        while waiting is not None:
            self._answer(found, waiting[1], (), NOTHING)
            waiting = _next(by_key)
        return found

    def current(self, versions: list[Entry]) -> VersionAt:
        """What was current of one key; `versions` newest first."""
        at, tied = self.at, False
        for place, newest in enumerate(versions):
            if newest.second <= at:
                tied = place + 1 < len(versions) and versions[place + 1].second == newest.second
                return VersionAt(newest.version_id, newest.is_delete_marker, f"{newest.second}+00:00", tied or newest.second >= self.close)
        return NOTHING

    def _count(self, found: Walked, versions: list[Entry]) -> VersionAt:
        found.keys += 1
        if len(versions) > 1:
            versions.sort(key=SECOND_OF, reverse=True)  # stable: entries of one second keep the listing's order
        for version in versions:
            if version.is_delete_marker:
                found.delete_markers += 1
            else:
                found.versions += 1
                if version.checksum_algorithm:
                    found.with_checksum += 1
        current = self.current(versions)
        if current.version_id is not None and not current.is_delete_marker:
            found.present += 1
        if current.ambiguous:
            found.ambiguous += 1
            if len(found.ambiguous_keys) < AMBIGUOUS_NAMED:
                found.ambiguous_keys.append(versions[0].key)
        if len(versions) > 1 or versions[0].second > self.at:
            past = [v for v in versions if v.second <= self.at]
            found.younger += len(versions) - len(past)
            for version in past[1:]:
                if not version.is_delete_marker:
                    self._sample(found, version)
        return current

    def _sample(self, found: Walked, version: Entry) -> None:
        """Every noncurrent version has the same chance to be one of NONCURRENT_READS."""
        found.noncurrent_population += 1
        if len(found.noncurrent) < NONCURRENT_READS:
            found.noncurrent.append(version)
        elif (place := self.random.randrange(found.noncurrent_population)) < NONCURRENT_READS:
            found.noncurrent[place] = version

    def _answer(self, found: Walked, rows: list[Row], versions: Iterable[Entry], current: VersionAt) -> None:
        there = {v.version_id: v for v in versions if not v.is_delete_marker}
        current_is_named = current.version_id is None or any(row.version_id == current.version_id for row in rows)
        answers, settled = [], 0
        for row in rows:
            listed = there.get(row.version_id) if row.version_id else None
            good = (
                current_is_named
                and listed is not None
                and listed.size_bytes == row.size_bytes
                and (row.etag is None or row.etag == listed.etag)
            )
            settled += good
            answers.append(Answer(row, listed, current, good))
        found.rows += len(answers)
        found.settled += settled
        if len(found.answers) >= MOST_ANSWERS:
            found.beyond += len(answers) - settled
        elif settled < len(answers) or (self.limit and zlib.crc32(f"{self.seed}/{rows[0].key}".encode()) < self.limit):
            found.answers += answers


def _next(by_key: Iterator[tuple[str, Iterator[Row]]]) -> tuple[str, list[Row]] | None:
    found = next(by_key, None)
    return None if found is None else (found[0], list(found[1]))
