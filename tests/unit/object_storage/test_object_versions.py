"""Versions at the recovery point, and the rows that name them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.catalogue import KINDS
from dalp_dr.model.check import Verdict
from dalp_dr.model.plan import utc
from dalp_dr.model.record import encode
from dalp_dr.object_storage import facts, shards, versions, walk
from dalp_dr.object_storage.listing import Entry
from sandbox_sample import PLAN, a_plan

BUCKET = "dalp-documents"
BEFORE, MIDDLE, POINT, AFTER = "2026-10-06T05:00:00Z", "2026-10-06T05:30:00Z", "2026-10-06T05:59:30.000000Z", "2026-10-06T05:59:50Z"
assert PLAN.database is not None and PLAN.database.target_time == POINT


def row(key: str, version: str, at: str = BEFORE, size: int = 3, marker: bool = False) -> Entry:
    return Entry(key, version, at[:19], size, version, marker, False, "")


def document(id_: int, key: str, version: str, size: int = 3, sha: str = "aa") -> dict[str, Any]:
    return {
        "id": str(id_),
        "kind": "upload",
        "bucket": BUCKET,
        "object_key": key,
        "version_id": version,
        "size_bytes": str(size),
        "sha256": sha,
    }


ROWS = [row("uploads/a", "a1"), row("uploads/b", "b2", MIDDLE), row("uploads/b", "b1"), row("exports/c", "c1")]
DOCUMENTS = [document(1, "uploads/a", "a1"), document(2, "uploads/b", "b1"), document(3, "uploads/b", "b2"), document(4, "exports/c", "c1")]


def store(key: str, version: str | None, rows: list[Entry], changed: dict[str, Any]) -> dict[str, Any]:
    if version in changed:
        return {"key": key, "version_id": version} | changed[version]
    there = any(r.key == key and r.version_id == version and not r.is_delete_marker for r in rows)
    return {"key": key, "version_id": version} | ({"size_bytes": 3, "sha256": "AA"} if there else {"error": "NoSuchVersion"})


def bucket_of(plan: Any) -> Any:
    return plan.environment.object_storage[0]


def walked(shard: shards.Shard, rows: list[Entry], documents: list[dict[str, Any]], plan: Any, share: float = 1.0) -> walk.Walked:
    """One pass over a shard, as its task makes it; groups keep the listing's order."""
    moment = utc(versions.point_of(plan))
    own = [r for r in facts.rows_of(BUCKET, documents) if shard.covers(r.key)]
    listed = sorted((r for r in rows if shard.covers(r.key)), key=lambda r: r.key)
    return walk.Walk(moment, plan.random_seed, share).over(listed, own)


def found(
    rows: list[Entry] = ROWS,
    documents: list[dict[str, Any]] = DOCUMENTS,
    plan: Any = PLAN,
    lost: str = "",
    share: float = 1.0,
    **changed: Any,
) -> versions.ObjectVersions:
    """The record of the bucket, from a shard for each prefix; the shard of prefix `lost` has no record."""
    done = []
    for shard in shards.of_bucket(bucket_of(plan), {}):
        if shard.prefix != lost:
            one = walked(shard, rows, documents, plan, share)
            reads = [store(k, v, rows, changed) for k, v in facts.reads_needed(one)]
            done.append(facts.object_shard(plan, shard, one, reads, 0.5))
    alone = facts.left_over(facts.rows_of(BUCKET, documents), [s.shard for s in done])
    reads = [store(r.key, r.version_id, rows, changed) for r in alone]
    return facts.object_versions(plan, BUCKET, documents, done, [f"shard of {lost}: store away"] if lost else [], reads)


def test_sound_documents_resolve_and_an_old_version_was_read() -> None:
    read = found()
    assert versions.judge_documents(read, PLAN).verdict is Verdict.PASS
    assert versions.judge_readable(read, PLAN).verdict is Verdict.PASS
    assert (read.noncurrent_population, read.keys_at_point) == (1, {"uploads/": 2, "exports/": 1})


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "object purged": ({"rows": ROWS[1:]}, "uploads/a (document 1): version a1 is missing (NoSuchVersion)"),
    "version unknown": ({"documents": [document(1, "uploads/a", "gone"), *DOCUMENTS[1:]]}, "version gone is missing"),
    "delete marker on top": ({"rows": [row("uploads/a", "m1", MIDDLE, marker=True), *ROWS]}, "a delete marker was on top"),
    "row names a delete marker": (
        {
            "rows": [row("uploads/a", "m1", MIDDLE, marker=True), *ROWS],
            "m1": {"error": "405"},
            "documents": [document(1, "uploads/a", "m1")],
        },
        "version m1 is missing (405)",
    ),
    "overwritten": ({"rows": [row("uploads/a", "a2", MIDDLE), *ROWS]}, "wrong version: a2 was current"),
    "row names an older version": (
        {"documents": [d for d in DOCUMENTS if d["id"] != "3"]},
        "uploads/b (document 2): wrong version: b2 was current",
    ),
    "other size": ({"a1": {"size_bytes": 4, "sha256": "aa"}}, "4 bytes, the row says 3"),
    "other content": ({"a1": {"size_bytes": 3, "sha256": "bb"}}, "content differs: sha256 bb, the row says aa"),
    "row without a version": ({"documents": [document(1, "uploads/a", "")]}, "the row names no version"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_each_fault_names_the_key(case: str) -> None:
    change, said = FAULTS[case]
    result = versions.judge_documents(found(**change), PLAN)
    assert result.verdict is Verdict.FAIL
    assert any(said in f for f in result.findings), result.findings


FINE: dict[str, list[Entry]] = {
    "written anew after the point": [row("uploads/a", "a2", AFTER), *ROWS],
    "deleted after the point": [row("uploads/a", "m1", AFTER, marker=True), *ROWS],
    "an object nobody names": [row("uploads/z", "z1"), *ROWS],
    "only younger objects": [row("uploads/z", "z1", AFTER), *ROWS],
}


@pytest.mark.parametrize("case", FINE)
def test_what_happened_after_the_point_is_no_fault(case: str) -> None:
    assert versions.judge_documents(found(rows=FINE[case]), PLAN).verdict is Verdict.PASS


UNSURE: dict[str, dict[str, Any]] = {
    "store did not answer": {"a1": {"error": "503"}},
    "overwritten seconds before the point": {"rows": [row("uploads/a", "a2", "2026-10-06T05:59:28Z"), *ROWS]},
    "two versions of one second": {"rows": [row("uploads/a", "a2", BEFORE), *ROWS]},
    "no rows at all": {"documents": []},
}


@pytest.mark.parametrize("case", UNSURE)
def test_what_cannot_be_told_is_open(case: str) -> None:
    assert versions.judge_documents(found(**UNSURE[case]), PLAN).verdict is Verdict.INCONCLUSIVE


def test_a_fault_wins_over_what_cannot_be_told_and_both_are_named() -> None:
    result = versions.judge_documents(found(a1={"error": "503"}, c1={"size_bytes": 9, "sha256": "aa"}), PLAN)
    assert (result.verdict, len(result.findings)) == (Verdict.FAIL, 2)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"error": "404"}, Verdict.FAIL),
        ({"size_bytes": 1, "sha256": "aa"}, Verdict.FAIL),
        ({"error": "AccessDenied"}, Verdict.INCONCLUSIVE),
    ],
)
def test_an_old_version_that_cannot_be_read(changed: dict[str, Any], verdict: Verdict) -> None:
    assert versions.judge_readable(found(b1=changed), PLAN).verdict is verdict


def test_an_empty_prefix_proves_nothing() -> None:
    result = versions.judge_readable(found(rows=ROWS[:3]), PLAN)
    assert (result.verdict, result.findings) == (Verdict.INCONCLUSIVE, ("exports/ had no object",))


def test_rows_and_objects_are_compared_at_the_databases_point() -> None:
    assert found().at == POINT
    assert found(plan=a_plan(database=None)).at == PLAN.objects.at


def test_rows_of_other_buckets_are_left_to_their_own_record() -> None:
    other = document(9, "uploads/x", "x1") | {"bucket": "other"}
    assert len(found(documents=[*DOCUMENTS, other]).documents) == 4


def test_the_sample_of_old_versions_is_bounded_and_repeatable() -> None:
    many = [row(f"uploads/{n:02d}", f"v{m}", f"2026-10-06T05:0{m}:00Z") for n in range(30) for m in (2, 1)]
    shard = shards.of_bucket(bucket_of(PLAN), {})[0]
    first, second = (facts.reads_needed(walked(shard, many, [], replace(PLAN, random_seed="s"))) for _ in range(2))
    assert first == second
    assert len(first) == walk.NONCURRENT_READS
    other = facts.reads_needed(walked(shard, many, [], replace(PLAN, random_seed="t")))
    assert other != first


def test_a_shard_without_a_record_is_never_a_pass() -> None:
    read = found(lost="exports/")
    result = versions.judge_listed(read, PLAN)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.findings == ("dalp-documents/exports/: listed was nothing", "shard of exports/: store away")
    assert versions.judge_documents(read, PLAN).findings == ("exports/c (document 4): readable, but not in the listing",)
    assert versions.judge_listed(found(), PLAN).verdict is Verdict.PASS


def test_damage_in_one_shard_is_told_although_another_is_missing() -> None:
    read = found(lost="exports/", a1={"size_bytes": 3, "sha256": "bb"})
    assert versions.judge_documents(read, PLAN).verdict is Verdict.FAIL


def test_rows_that_were_not_looked_at_are_told() -> None:
    read = replace(found(), rows=9)
    assert versions.judge_listed(read, PLAN).findings == ("9 rows name the bucket, 4 were looked at",)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.PASS),
        ({"b1": {"error": "403"}}, Verdict.INCONCLUSIVE),
        ({"b1": {"size_bytes": 2, "sha256": "aa"}}, Verdict.INCONCLUSIVE),
        ({"rows": [r for r in ROWS if r.version_id != "b1"]}, Verdict.INCONCLUSIVE),
    ],
    ids=["read", "refused", "short", "there is none"],
)
def test_an_older_version_must_really_come_back(change: dict[str, Any], verdict: Verdict) -> None:
    assert versions.judge_noncurrent(found(**change), PLAN).verdict is verdict


def test_what_the_listing_settles_is_counted_and_what_it_does_not_is_kept() -> None:
    read = found(share=0.0)
    assert (read.rows, read.settled, read.documents) == (4, 4, ())
    assert versions.judge_listed(read, PLAN).verdict is Verdict.PASS
    assert versions.judge_documents(read, PLAN).verdict is Verdict.INCONCLUSIVE, "nothing was read"


@pytest.mark.parametrize("case", sorted(set(FAULTS) - {"other content", "other size"}))
def test_a_fault_of_the_listing_is_found_without_reading_all(case: str) -> None:
    change, said = FAULTS[case]
    result = versions.judge_documents(found(share=0.0, **change), PLAN)
    assert result.verdict is Verdict.FAIL and any(said in f for f in result.findings), result.findings


def test_a_listed_size_or_etag_that_differs_is_found_without_reading() -> None:
    short = found([row("uploads/a", "a1", size=2), *ROWS[1:]], a1={"error": versions.NOT_SAMPLED}, share=0.0)
    assert versions.judge_documents(short, PLAN).findings == ("uploads/a (document 1): listed with 2 bytes, the row says 3",)
    with_etag = [DOCUMENTS[0] | {"etag": "other"}, *DOCUMENTS[1:]]
    other = found(documents=with_etag, share=0.0)
    assert versions.judge_documents(other, PLAN).findings == ("uploads/a (document 1): ETag a1, the row says other",)


def test_of_a_bucket_that_is_gone_the_record_stays_small_and_the_verdict_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MOST_ANSWERS", 3)
    many = [document(n, f"uploads/{n:03d}", f"v{n}") for n in range(50)]
    read = found(rows=[row("uploads/a", "a1")], documents=many)
    assert (read.rows, len(read.documents), read.beyond) == (50, 3, 47)
    result = versions.judge_documents(read, PLAN)
    assert result.verdict is Verdict.FAIL and "0 of 50 rows resolve" in result.observed
    assert result.findings[-1] == "47 more rows differ from the listing and are not named"
    assert versions.judge_listed(read, PLAN).verdict is Verdict.PASS


def test_rows_that_are_not_named_are_never_a_pass() -> None:
    read = replace(found(), beyond=1, rows=5)
    assert versions.judge_documents(read, PLAN).verdict is Verdict.INCONCLUSIVE


def test_the_record_is_read_back_as_it_was_written() -> None:
    read = found()
    assert KINDS["object_versions"].decode(json.loads(json.dumps(encode(read)))) == read
