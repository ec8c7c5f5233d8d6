"""From rows, listings and readings to records: of one shard, and of a whole bucket from its shards."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from dalp_dr.database.rows import Rows, integer, required, text
from dalp_dr.model.plan import DrillPlan, utc
from dalp_dr.model.record import Record
from dalp_dr.object_storage.protection import named
from dalp_dr.object_storage.shards import Shard
from dalp_dr.object_storage.versions import NOT_SAMPLED, DocumentAnswer, ObjectVersions, Reading, ShardFacts, point_of
from dalp_dr.object_storage.walk import NONCURRENT_READS, NOTHING, Answer, Row, Walked

KEEP_ALL_ROWS = 2000  # of a shard; of more, this many settled ones are kept and read
READS, READ_BYTES = 4000, 4 << 30  # of a shard, noncurrent versions apart
Wanted = tuple[str, str | None]


def rows_of(bucket: str, documents: Rows) -> list[Row]:
    """The rows that name an object of this bucket, in order of key. Raises FactError."""
    rows = [
        Row(
            required(d, "id"),
            required(d, "kind"),
            required(d, "object_key"),
            text(d, "version_id"),
            integer(d, "size_bytes"),
            required(d, "sha256").lower(),
            text(d, "etag") if "etag" in d else None,
        )
        for d in documents
        if required(d, "bucket") == bucket
    ]
    return sorted(rows, key=lambda r: (r.key, r.id))


def share(rows: int) -> float:
    """Which part of so many rows is read although the listing settles them."""
    return 1.0 if rows <= KEEP_ALL_ROWS else KEEP_ALL_ROWS / rows


def merged(parts: Sequence[Walked], seed: str) -> Walked:
    """One pass over several ranges that follow one another."""
    whole = Walked()
    for part in parts:
        for name in ("keys", "versions", "delete_markers", "present", "younger", "with_checksum", "ambiguous", "rows", "settled", "beyond"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        whole.ambiguous_keys += part.ambiguous_keys
        whole.answers += part.answers
        whole.noncurrent += part.noncurrent
        whole.noncurrent_population += part.noncurrent_population
    if len(whole.noncurrent) > NONCURRENT_READS:
        whole.noncurrent = random.Random(seed).sample(whole.noncurrent, NONCURRENT_READS)
    return whole


def reads_needed(walked: Walked) -> tuple[Wanted, ...]:
    """(key, version id) of what is to be read: rows that are not settled first, then the share, within READS and READ_BYTES."""
    chosen: dict[Wanted, None] = {}
    budget = READ_BYTES
    for answer in sorted(walked.answers, key=lambda a: a.settled):
        size = answer.listed.size_bytes if answer.listed else 0
        if answer.row.version_id and len(chosen) < READS and size <= budget and (answer.row.key, answer.row.version_id) not in chosen:
            chosen[answer.row.key, answer.row.version_id] = None
            budget -= size
    return (*chosen, *((v.key, v.version_id) for v in walked.noncurrent if (v.key, v.version_id) not in chosen))


def shard_facts(plan: DrillPlan, shard: Shard, walked: Walked, reads: Iterable[Mapping[str, Any]], seconds: float) -> ShardFacts:
    """The facts of kind `object_shard`. `reads`: key, version_id, and size_bytes, sha256, etag, encryption or error, of `reads_needed`."""
    answers = _by_version(reads)
    return ShardFacts(
        shard=shard,
        at=point_of(plan),
        keys=walked.keys,
        keys_at_point=walked.present,
        versions=walked.versions,
        delete_markers=walked.delete_markers,
        younger=walked.younger,
        with_checksum=walked.with_checksum,
        ambiguous=walked.ambiguous,
        ambiguous_keys=tuple(walked.ambiguous_keys),
        rows=walked.rows,
        settled=walked.rows - len(walked.answers) - walked.beyond,
        beyond=walked.beyond,
        documents=tuple(document(a, answers) for a in walked.answers),
        noncurrent=tuple(_reading(v.key, v.version_id, v.size_bytes, answers) for v in walked.noncurrent),
        noncurrent_population=walked.noncurrent_population,
        seconds=round(seconds, 3),
    )


def usable_shards(records: Iterable[Record], bucket: str, planned: Iterable[Shard]) -> tuple[list[ShardFacts], list[str]]:
    """The newest facts of each planned shard of a bucket, and one sentence for each that has none.

    A shard that was listed before the database was recovered answered the rows of another database.
    """
    everything = list(records)
    recovered = max((r.recorded_at for r in everything if r.kind == "database_recovery" and r.facts), default="")
    newest: dict[str, Record] = {}
    for record in sorted((r for r in everything if r.kind == "object_shard"), key=lambda r: (r.attempt, r.recorded_at)):
        newest[record.subject] = record
    found: list[ShardFacts] = []
    errors: list[str] = []
    for shard in planned:
        if shard.bucket != bucket:
            continue
        last = newest.get(shard.subject)
        if last is None or last.facts is None:
            errors.append(f"shard {shard.subject}: {last.error if last else 'there is no record of it'}")
        elif recovered and utc(last.recorded_at) < utc(recovered):
            errors.append(f"shard {shard.subject} was listed before the database was recovered")
        else:
            found.append(msgspec.convert(last.facts, ShardFacts))
    return found, errors


def left_over(rows: Iterable[Row], shards: Sequence[Shard]) -> list[Row]:
    """Rows whose key no shard has listed: outside of the prefixes, or in a shard that is missing."""
    return [row for row in rows if not any(shard.covers(row.key) for shard in shards)]


def bucket_facts(
    plan: DrillPlan,
    bucket: str,
    documents: Rows,
    shards: Sequence[ShardFacts],
    errors: Sequence[str] = (),
    reads: Iterable[Mapping[str, Any]] = (),
) -> ObjectVersions:
    """The facts of kind `object_versions`, from the records of the shards. `reads`: of the rows that are `left_over`."""
    prefixes, rows, answers = named(plan, bucket).prefixes, rows_of(bucket, documents), _by_version(reads)
    alone = left_over(rows, [s.shard for s in shards])
    noncurrent = [r for s in shards for r in s.noncurrent]
    if len(noncurrent) > NONCURRENT_READS * len(prefixes):
        noncurrent = random.Random(plan.random_seed).sample(noncurrent, NONCURRENT_READS * len(prefixes))
    return ObjectVersions(
        bucket=bucket,
        at=point_of(plan),
        prefixes=prefixes,
        keys=sum(s.keys for s in shards),
        versions=sum(s.versions for s in shards),
        delete_markers=sum(s.delete_markers for s in shards),
        keys_at_point={p: sum(s.keys_at_point for s in shards if s.shard.prefix == p) for p in prefixes},
        younger=sum(s.younger for s in shards),
        ambiguous=tuple(k for s in shards for k in s.ambiguous_keys),
        documents=(
            *(d for s in shards for d in s.documents),
            *(document(Answer(row, None, NOTHING, False), answers) for row in alone),
        ),
        noncurrent=tuple(noncurrent),
        noncurrent_population=sum(s.noncurrent_population for s in shards),
        foreign=tuple(sorted(r.key for r in rows if not r.key.startswith(prefixes))),
        unknown_buckets=unknown_buckets(plan, documents),
        rows=len(rows),
        settled=sum(s.settled for s in shards),
        with_checksum=sum(s.with_checksum for s in shards),
        shards=tuple(s.shard for s in shards),
        shard_errors=tuple(errors),
        rows_in_shards=sum(s.rows for s in shards),
        beyond=sum(s.beyond for s in shards),
    )


def unknown_buckets(plan: DrillPlan, documents: Rows) -> dict[str, int]:
    """bucket -> number of rows that name it, of the buckets that the environment file does not know."""
    known = {bucket.name for bucket in plan.environment.object_storage}
    return dict(sorted(Counter(name for d in documents if (name := required(d, "bucket")) not in known).items()))


def document(answer: Answer, reads: Mapping[Wanted, Mapping[str, Any]]) -> DocumentAnswer:
    """One row, its listing and its reading."""
    row, listed = answer.row, answer.listed
    read = reads.get((row.key, row.version_id), {"error": NOT_SAMPLED})
    bad = "error" in read
    return DocumentAnswer(
        id=row.id,
        kind=row.kind,
        key=row.key,
        version_id=row.version_id,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        listed_bytes=listed.size_bytes if listed else None,
        read_bytes=None if bad else int(read["size_bytes"]),
        read_sha256=None if bad else str(read["sha256"]).lower(),
        read_error=str(read["error"]) if bad else None,
        current=answer.current,
        etag=row.etag,
        listed_etag=listed.etag if listed else None,
        read_etag=None if bad else read.get("etag"),
        encryption=None if bad else read.get("encryption"),
    )


def _by_version(reads: Iterable[Mapping[str, Any]]) -> dict[Wanted, Mapping[str, Any]]:
    return {(str(r["key"]), r.get("version_id")): r for r in reads}


def _reading(key: str, version_id: str | None, listed_bytes: int, reads: Mapping[Wanted, Mapping[str, Any]]) -> Reading:
    read = reads.get((key, version_id), {"error": "not read"})
    bad = "error" in read
    return Reading(
        key,
        version_id,
        listed_bytes,
        None if bad else int(read["size_bytes"]),
        str(read["error"]) if bad else None,
        None if bad else read.get("encryption"),
    )
