"""Object versions as they were at the recovery point, and whether the rows of the restored database still find theirs.

A row names a version id: that version must be there with the row's size and content. The version that was current at the
point must be named by a row too, since a key that was overwritten or deleted under an unchanged row is damage of its own.
The point is the restored database's where there is one: rows and objects are compared at one moment.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dalp_dr.database.listing import Version, by_key
from dalp_dr.database.rows import Rows, integer, required, text
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan, utc
from dalp_dr.object_storage.protection import named

NONCURRENT_READS = 5
UPLOAD_SECONDS = 5  # between an object's upload and the commit of its row; younger changes are not held against anybody
GONE = {"404", "405", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed", "NotFound"}  # 405: the id is a delete marker's


@dataclass(frozen=True)
class VersionAt:
    """What was current at the point: a version, a delete marker, or (version_id None) nothing.

    `ambiguous`: another entry of the same second, or a change so close to the point that its row may not be committed yet.
    """

    version_id: str | None
    is_delete_marker: bool
    last_modified: str | None
    ambiguous: bool


@dataclass(frozen=True)
class DocumentAnswer:
    """One row of the restored database beside what the store says of the version it names.

    `listed_bytes` is None when the listing does not have the version; `read_bytes` and `read_sha256` when `read_error` says why.
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


@dataclass(frozen=True)
class Reading:
    """A version that was read although no row names it, to prove that old versions can be."""

    key: str
    version_id: str | None
    listed_bytes: int
    read_bytes: int | None
    error: str | None


@dataclass(frozen=True)
class ObjectVersions:
    """One bucket. Counts are of the named prefixes; `foreign`: rows whose key is outside of them.

    `unknown_buckets`: bucket -> number of rows that name it, of those that the environment file does not know.
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


def current_at(versions: list[Version], moment: datetime) -> VersionAt:
    """The entry with the greatest last_modified not after the moment. `versions`: newest first, markers included."""
    second = moment.replace(microsecond=0)
    past = [v for v in versions if v.last_modified <= second]
    if not past:
        return VersionAt(None, False, None, False)
    newest = past[0]
    tied = sum(v.last_modified.replace(microsecond=0) == newest.last_modified.replace(microsecond=0) for v in past) > 1
    close = second - newest.last_modified <= timedelta(seconds=UPLOAD_SECONDS)
    return VersionAt(newest.version_id, newest.is_delete_marker, newest.last_modified.isoformat(), tied or close)


def point_of(plan: DrillPlan) -> str:
    """The moment at which rows and objects are compared."""
    return plan.database.target_time if plan.database else plan.objects.at


def reads_needed(plan: DrillPlan, bucket: str, rows: Iterable[Mapping[str, Any]], documents: Rows) -> tuple[tuple[str, str | None], ...]:
    """(key, version id) of every version that a row names, and a seeded sample of noncurrent ones."""
    wanted = [(required(d, "object_key"), text(d, "version_id")) for d in _own(bucket, documents)]
    sample = _sample(plan, by_key(rows))
    return tuple(dict.fromkeys([*wanted, *((v.key, v.version_id) for v in sample)]))


def _own(bucket: str, documents: Rows) -> list[Mapping[str, Any]]:
    return [d for d in documents if required(d, "bucket") == bucket]


def _unknown_buckets(plan: DrillPlan, documents: Rows) -> dict[str, int]:
    known = {bucket.name for bucket in plan.environment.object_storage}
    return dict(sorted(Counter(name for d in documents if (name := required(d, "bucket")) not in known).items()))


def _noncurrent(plan: DrillPlan, grouped: Mapping[str, list[Version]]) -> list[Version]:
    """Versions at the point that were not the current one of their key then."""
    moment = utc(point_of(plan)).replace(microsecond=0)
    past = ([v for v in versions if v.last_modified <= moment][1:] for versions in grouped.values())
    return sorted((v for versions in past for v in versions if not v.is_delete_marker), key=lambda v: (v.key, v.version_id or ""))


def _sample(plan: DrillPlan, grouped: Mapping[str, list[Version]]) -> list[Version]:
    population = _noncurrent(plan, grouped)
    return random.Random(plan.random_seed).sample(population, min(NONCURRENT_READS, len(population)))


def facts_from(
    plan: DrillPlan, bucket: str, rows: Iterable[Mapping[str, Any]], documents: Rows, reads: Iterable[Mapping[str, Any]]
) -> ObjectVersions:
    """The facts of kind `object_versions`. `reads`: key, version_id, and size_bytes and sha256 or error, of `reads_needed`."""
    prefixes, moment = named(plan, bucket).prefixes, utc(point_of(plan))
    grouped = by_key(rows)
    answers = {(str(r["key"]), r.get("version_id")): r for r in reads}
    current = {key: current_at(versions, moment) for key, versions in grouped.items()}
    everything = [v for versions in grouped.values() for v in versions]
    population = _noncurrent(plan, grouped)
    own = _own(bucket, documents)
    return ObjectVersions(
        bucket=bucket,
        at=point_of(plan),
        prefixes=prefixes,
        keys=len(grouped),
        versions=sum(not v.is_delete_marker for v in everything),
        delete_markers=sum(v.is_delete_marker for v in everything),
        keys_at_point={
            p: sum(c.version_id is not None and not c.is_delete_marker for k, c in current.items() if k.startswith(p)) for p in prefixes
        },
        younger=sum(v.last_modified > moment for v in everything),
        ambiguous=tuple(sorted(k for k, c in current.items() if c.ambiguous)),
        documents=tuple(_document(d, grouped, current, answers) for d in own),
        noncurrent=tuple(_reading(v, answers) for v in _sample(plan, grouped)),
        noncurrent_population=len(population),
        foreign=tuple(sorted(k for d in own if not (k := required(d, "object_key")).startswith(tuple(prefixes)))),
        unknown_buckets=_unknown_buckets(plan, documents),
    )


def _document(
    row: Mapping[str, Any],
    grouped: Mapping[str, list[Version]],
    current: Mapping[str, VersionAt],
    answers: Mapping[tuple[str, str | None], Mapping[str, Any]],
) -> DocumentAnswer:
    key, version_id = required(row, "object_key"), text(row, "version_id")
    listed = next((v for v in grouped.get(key, ()) if v.version_id == version_id and not v.is_delete_marker), None)
    read = answers.get((key, version_id), {"error": "not read"})
    return DocumentAnswer(
        id=required(row, "id"),
        kind=required(row, "kind"),
        key=key,
        version_id=version_id,
        size_bytes=integer(row, "size_bytes"),
        sha256=required(row, "sha256").lower(),
        listed_bytes=listed.size_bytes if listed else None,
        read_bytes=None if "error" in read else int(read["size_bytes"]),
        read_sha256=None if "error" in read else str(read["sha256"]).lower(),
        read_error=str(read["error"]) if "error" in read else None,
        current=current.get(key, VersionAt(None, False, None, False)),
    )


def _reading(version: Version, answers: Mapping[tuple[str, str | None], Mapping[str, Any]]) -> Reading:
    read = answers.get((version.key, version.version_id), {"error": "not read"})
    return Reading(
        version.key,
        version.version_id,
        version.size_bytes,
        None if "error" in read else int(read["size_bytes"]),
        str(read["error"]) if "error" in read else None,
    )


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
    named_versions = {(d.key, d.version_id) for d in facts.documents}
    for document in facts.documents:
        problem, certain = _problem(document, utc(facts.at), (document.key, document.current.version_id) in named_versions)
        if problem:
            (wrong if certain else unsure).append(f"{document.key} (document {document.id}): {problem}")
    seen = f"{len(facts.documents) - len(wrong) - len(unsure)} of {len(facts.documents)} rows resolve"
    unsure += [f"{count} rows name bucket {name}, which is not in the environment file" for name, count in facts.unknown_buckets.items()]
    if wrong:
        return failed(expected, seen, [*wrong, *unsure])
    return inconclusive(expected, seen, unsure) if unsure or not facts.documents else expect(True, expected, seen)


def _problem(document: DocumentAnswer, moment: datetime, current_is_named: bool) -> tuple[str | None, bool]:
    """(what is wrong or None, whether it is certain). `current_is_named`: some row names the version current at the point."""
    if document.version_id is None:
        return "the row names no version", True
    if document.read_error in GONE:
        return f"version {document.version_id} is missing ({document.read_error})", True
    if document.read_error:
        return f"version {document.version_id} could not be read ({document.read_error})", False
    if document.read_bytes != document.size_bytes:
        return f"{document.read_bytes} bytes, the row says {document.size_bytes}", True
    if document.read_sha256 != document.sha256:
        return f"content differs: sha256 {document.read_sha256}, the row says {document.sha256}", True
    current = document.current
    if current.version_id is None or current_is_named:  # None: uploaded in the second of the point
        return (None, True) if document.listed_bytes is not None else ("readable, but not in the listing", False)
    kind = "a delete marker was on top" if current.is_delete_marker else f"wrong version: {current.version_id} was current"
    return f"{kind} at {moment.isoformat()}, the row names {document.version_id}", not current.ambiguous
