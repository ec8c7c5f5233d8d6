"""Parts of a bucket that are listed side by side, and the proof that together they are the whole of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dalp_dr.model.environment import Bucket
from dalp_dr.object_storage.listing import KeyRange

MOST_FOLDERS = 1000  # looked at to find cuts; a prefix with more is cut among the first
PARTS = 8  # ranges that one shard lists at once
SHARDS = 4  # of one prefix


@dataclass(frozen=True)
class Shard:
    """What one task lists: ranges of keys of one prefix that follow one another. `number` counts within the bucket."""

    bucket: str
    prefix: str
    number: int
    parts: tuple[KeyRange, ...]

    @property
    def subject(self) -> str:
        """Its name in records."""
        return f"{self.bucket}-{self.number:03d}"

    def covers(self, key: str) -> bool:
        """Whether a key is one of this shard's."""
        first, last = self.parts[0], self.parts[-1]
        return key.startswith(self.prefix) and key > first.after and (last.until is None or key <= last.until)


def of_bucket(bucket: Bucket, folders: Mapping[str, Sequence[str]]) -> tuple[Shard, ...]:
    """All shards of a bucket. `folders`: prefix -> folders directly below it, at which the prefix may be cut."""
    groups = [(prefix, group) for prefix in bucket.prefixes for group in _cut(prefix, folders.get(prefix, ()))]
    return tuple(Shard(bucket.name, prefix, number, group) for number, (prefix, group) in enumerate(groups))


def _cut(prefix: str, folders: Sequence[str]) -> list[tuple[KeyRange, ...]]:
    """At most SHARDS groups of ranges, each of about PARTS."""
    ordered = sorted({f for f in folders if f > prefix})
    wanted = min(len(ordered), SHARDS * PARTS - 1)
    bounds = list(dict.fromkeys(ordered[i * len(ordered) // wanted] for i in range(wanted)))
    parts = [KeyRange(prefix, after, until) for after, until in zip(["", *bounds], [*bounds, None], strict=True)]
    each = max(PARTS, -(-len(parts) // SHARDS))
    return [tuple(parts[i : i + each]) for i in range(0, len(parts), each)]


def holes(buckets: Iterable[Bucket], listed: Iterable[Shard]) -> tuple[str, ...]:
    """One sentence for each prefix whose shards are not the whole of it, each key once."""
    by_prefix: dict[tuple[str, str], list[KeyRange]] = {}
    for shard in listed:
        by_prefix.setdefault((shard.bucket, shard.prefix), []).extend(shard.parts)
    found = []
    for bucket in buckets:
        for prefix in bucket.prefixes:
            parts = sorted(by_prefix.get((bucket.name, prefix), []), key=lambda p: p.after)
            ends: list[str | None] = [*(p.until for p in parts)]
            if not parts or [p.after for p in parts] != ["", *ends[:-1]] or ends[-1] is not None:
                said = ", ".join(f"({p.after or 'start'}, {p.until or 'end'}]" for p in parts) or "nothing"
                found.append(f"{bucket.name}/{prefix}: listed was {said}")
    return tuple(found)


def shard_from(sent: dict[str, Any]) -> Shard:
    """A shard as it comes out of an XCom."""
    parts = tuple(KeyRange(p["prefix"], p["after"], p["until"]) for p in sent["parts"])
    return Shard(sent["bucket"], sent["prefix"], int(sent["number"]), parts)
