"""Object versions as they were at the recovery point, and whether the rows of the restored database still find theirs.

A row names a version id: that version must be there with the row's size and content. The version that was current at the
point must be named by a row too, since a key that was overwritten or deleted under an unchanged row is damage of its own.
The point is the restored database's where there is one: rows and objects are compared at one moment.

Shards of a bucket are listed by tasks of their own (kind `object_shard`); the bucket's record joins them (`join.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan, utc
from dalp_dr.object_storage.protection import named
from dalp_dr.object_storage.shards import Shard, holes
from dalp_dr.object_storage.walk import VersionAt

GONE = {"404", "405", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed", "NotFound"}  # 405: the id is a delete marker's
NOT_SAMPLED = "not in the sample"  # the listing alone speaks for this row


@dataclass(frozen=True)
class DocumentAnswer:
    """One row of the restored database beside what the store says of the version it names.

    `listed_bytes` is None when the listing does not have the version; `read_bytes` and `read_sha256` when `read_error` says why.
    ETags are opaque; `etag` is the row's, where the profile keeps one. `encryption`: as the store told when it was read.
    """

    id: str
    kind: str
    key: str
    version_id: str | None
    size_bytes: int
    sha256: str
    listed_bytes: int | None
    read_bytes: int | None
    read_sha256: str | None
    read_error: str | None
    current: VersionAt
    etag: str | None = None
    listed_etag: str | None = None
    read_etag: str | None = None
    encryption: str | None = None


@dataclass(frozen=True)
class Reading:
    """A version that was read although no row names it, to prove that old versions can be."""

    key: str
    version_id: str | None
    listed_bytes: int
    read_bytes: int | None
    error: str | None
    encryption: str | None = None


@dataclass(frozen=True)
class ShardFacts:
    """What one task found in its ranges. `settled`: rows that the listing alone answers; `documents` has the others and those read."""

    shard: Shard
    at: str
    keys: int
    keys_at_point: int
    versions: int
    delete_markers: int
    younger: int
    with_checksum: int
    ambiguous: int
    ambiguous_keys: tuple[str, ...]
    rows: int
    settled: int
    documents: tuple[DocumentAnswer, ...]
    noncurrent: tuple[Reading, ...]
    noncurrent_population: int
    seconds: float
    beyond: int = 0  # rows that differ and are not in `documents`, since thousands are


@dataclass(frozen=True)
class ObjectVersions:
    """One bucket. Counts are of the named prefixes; `foreign`: rows whose key is outside of them.

    `unknown_buckets`: bucket -> number of rows that name it, of those that the environment file does not know.
    `rows`: of this bucket, whether kept in `documents` or settled by the listing alone; `shards`: what was listed to its end;
    `shard_errors`: why others were not. Records of the first checklist have none of these.
    """

    bucket: str
    at: str
    prefixes: tuple[str, ...]
    keys: int
    versions: int
    delete_markers: int
    keys_at_point: dict[str, int]
    younger: int
    ambiguous: tuple[str, ...]
    documents: tuple[DocumentAnswer, ...]
    noncurrent: tuple[Reading, ...]
    noncurrent_population: int
    foreign: tuple[str, ...]
    unknown_buckets: dict[str, int] = field(default_factory=dict)
    rows: int | None = None
    settled: int = 0
    with_checksum: int = 0
    shards: tuple[Shard, ...] = ()
    shard_errors: tuple[str, ...] = ()
    rows_in_shards: int = 0
    beyond: int = 0


def point_of(plan: DrillPlan) -> str:
    """The moment at which rows and objects are compared."""
    return plan.database.target_time if plan.database else plan.objects.at


def judge_readable(facts: ObjectVersions, plan: DrillPlan) -> CheckResult:
    """Every prefix had objects at the point, and what was listed can be read, noncurrent versions too."""
    expected = f"objects at {facts.at} in {', '.join(facts.prefixes)}, every one that was read as listed"
    wrong = [
        f"{r.key} version {r.version_id}: {r.error or f'{r.read_bytes} bytes, listed are {r.listed_bytes}'}"
        for r in facts.noncurrent
        if r.read_bytes != r.listed_bytes and (r.error is None or r.error in GONE)
    ]
    unsure = [f"{r.key} version {r.version_id}: {r.error}" for r in facts.noncurrent if r.error and r.error not in GONE]
    empty = [f"{p} had no object" for p, count in facts.keys_at_point.items() if not count]
    seen = (
        f"{sum(facts.keys_at_point.values())} keys at the point, {facts.versions} versions, {facts.delete_markers} delete markers, "
        f"{len(facts.noncurrent)} of {facts.noncurrent_population} noncurrent versions read"
    )
    if wrong:
        return failed(expected, seen, wrong)
    if unsure or empty:
        return inconclusive(expected, seen, [*unsure, *empty])
    return expect(True, expected, seen)


def judge_documents(facts: ObjectVersions, plan: DrillPlan) -> CheckResult:
    """Every row's version is there with the row's size and content, and was the current one of its key at the point.

    Later deletions and overwrites are no fault as long as the version can be read, nor is an older row of a key that was written anew.
    """
    expected = f"every row that names an object of {facts.bucket} finds its version, size and content"
    wrong: list[str] = []
    unsure: list[str] = []
    total = len(facts.documents) if facts.rows is None else facts.rows
    named_versions = {(d.key, d.version_id) for d in facts.documents}
    for document in facts.documents:
        problem, certain = _problem(document, utc(facts.at), (document.key, document.current.version_id) in named_versions)
        if problem:
            (wrong if certain else unsure).append(f"{document.key} (document {document.id}): {problem}")
    seen = f"{total - len(wrong) - len(unsure) - facts.beyond} of {total} rows resolve"
    if facts.beyond:
        unsure.append(f"{facts.beyond} more rows differ from the listing and are not named")
    unsure += [f"{count} rows name bucket {name}, which is not in the environment file" for name, count in facts.unknown_buckets.items()]
    if wrong:
        return failed(expected, seen, [*wrong, *unsure])
    return inconclusive(expected, seen, unsure) if unsure or not facts.documents else expect(True, expected, seen)


def judge_listed(facts: ObjectVersions, plan: DrillPlan) -> CheckResult:
    """Every range of keys of every prefix was listed to its end, and every row was looked at in one of them or alone."""
    expected = f"{', '.join(facts.prefixes)} of {facts.bucket} listed from first key to last, and all rows looked at"
    missing = [*holes([named(plan, facts.bucket)], facts.shards), *facts.shard_errors]
    looked_at = facts.settled + len(facts.documents) + facts.beyond
    if facts.rows is None or facts.rows != looked_at:
        missing.append(f"{facts.rows} rows name the bucket, {looked_at} were looked at")
    seen = f"{len(facts.shards)} shards, {facts.rows} rows, {facts.rows_in_shards} of them in shards"
    return inconclusive(expected, seen, missing) if missing else expect(True, expected, seen)


def judge_noncurrent(facts: ObjectVersions, plan: DrillPlan) -> CheckResult:
    """An older version was really fetched in this drill: versioning that is switched on is not yet an object that comes back."""
    expected = f"at least one version of {facts.bucket} that was not current at {facts.at} is read to its last byte"
    good = [r for r in facts.noncurrent if r.error is None and r.read_bytes == r.listed_bytes]
    seen = f"{len(good)} of {len(facts.noncurrent)} read, {facts.noncurrent_population} there"
    if good:
        return expect(True, expected, seen)
    told = [f"{r.key} version {r.version_id}: {r.error or f'{r.read_bytes} of {r.listed_bytes} bytes'}" for r in facts.noncurrent]
    return inconclusive(expected, seen, told or ["no object had an older version at the point: write one object twice"])


def _problem(document: DocumentAnswer, moment: datetime, current_is_named: bool) -> tuple[str | None, bool]:
    """(what is wrong or None, whether it is certain). `current_is_named`: some row names the version current at the point."""
    if document.version_id is None:
        return "the row names no version", True
    if document.etag is not None and document.listed_etag is not None and document.etag != document.listed_etag:
        return f"ETag {document.listed_etag}, the row says {document.etag}", True
    if document.read_error in GONE:
        return f"version {document.version_id} is missing ({document.read_error})", True
    if document.read_error == NOT_SAMPLED:
        said = _listed(document)
        if said:
            return said
    elif document.read_error:
        return f"version {document.version_id} could not be read ({document.read_error})", False
    elif document.read_bytes != document.size_bytes:
        return f"{document.read_bytes} bytes, the row says {document.size_bytes}", True
    elif document.read_sha256 != document.sha256:
        return f"content differs: sha256 {document.read_sha256}, the row says {document.sha256}", True
    current = document.current
    if current.version_id is None or current_is_named:  # None: uploaded in the second of the point
        return (None, True) if document.listed_bytes is not None else ("readable, but not in the listing", False)
    kind = "a delete marker was on top" if current.is_delete_marker else f"wrong version: {current.version_id} was current"
    return f"{kind} at {moment.isoformat()}, the row names {document.version_id}", not current.ambiguous


def _listed(document: DocumentAnswer) -> tuple[str, bool] | None:
    """What is wrong with a row that was not read, from the listing alone."""
    if document.listed_bytes is None:
        return f"version {document.version_id} is not in the listing, and was not read", False
    if document.listed_bytes != document.size_bytes:
        return f"listed with {document.listed_bytes} bytes, the row says {document.size_bytes}", True
    return None
