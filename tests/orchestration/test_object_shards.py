"""Object versions in shards: each a task of its own with its own record, and a join that sees what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.model.check import Verdict
from dalp_dr.object_storage import join, versions
from dalp_dr.object_storage.listing import Entry
from dalp_dr.object_storage.shards import shard_from
from dalp_dr_airflow.drill import Drill
from dalp_dr_airflow.errors import CheckFailedError, CheckInconclusiveError
from dalp_dr_airflow.hooks.errors import NoAnswer
from dalp_dr_airflow.operators.objects import BucketVersionCheckOperator, ObjectShardsOperator, ObjectVersionsOperator
from fake_outside import Outside

BUCKET = "dalp-documents"
LISTED = [
    Entry(f"{prefix}{n}", f"v{prefix}{n}{age}", f"2026-10-05T0{age}:00:00", 3, "e", False, age == 2, "")
    for prefix in ("exports/", "uploads/")
    for n in range(3)
    for age in (2, 1)
]


class Store:
    """The bucket: entries, the folders a prefix is cut at, and prefixes whose listing fails."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.content = "aa"

    @property
    def listing(self) -> Any:
        return self

    def folders(self, bucket: str, prefix: str, most: int) -> tuple[str, ...]:
        return (f"{prefix}1",)

    def each(self, bucket: str, parts: Any, fold: Callable[..., Any]) -> list[Any]:
        if parts[0].prefix in self.away:
            raise NoAnswer(f"Could not list {parts[0].prefix}.", "Try again.", transient=True)
        return [
            fold(p, [e for e in LISTED if e.key > p.after and e.key.startswith(p.prefix) and (p.until is None or e.key <= p.until)])
            for p in parts
        ]

    def read_all(self, bucket: str, wanted: Any, told: Any) -> list[dict[str, Any]]:
        return [{"key": k, "version_id": v, "size_bytes": 3, "sha256": self.content, "etag": "e", "encryption": None} for k, v in wanted]


@pytest.fixture
def store(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Store:
    found = Store()
    row = {"kind": "upload", "bucket": BUCKET, "size_bytes": "3", "sha256": "aa"}
    rows = [row | {"id": str(n), "object_key": e.key, "version_id": e.version_id} for n, e in enumerate(LISTED) if e.is_latest]
    monkeypatch.setattr(Drill, "objects", found)
    monkeypatch.setattr(Drill, "sql", lambda self, *names: {"documents": rows})
    return found


def listed(outside: Outside, attempt: int = 1, only: int | None = None) -> list[dict[str, Any]]:
    """The shards, each listed by its mapped task; what the join is given."""
    sent = ObjectShardsOperator(task_id="object_shards").execute(outside.run.context("verify.object_shards"))
    for index, shard in enumerate(sent):
        if only in (None, index):
            task = BucketVersionCheckOperator(task_id="object_listing", shard=shard)
            try:
                task.execute(outside.run.context("verify.object_listing", attempt, index))
            except CheckInconclusiveError:
                continue
    return sent


def joined(outside: Outside, sent: Any, attempt: int = 1) -> versions.ObjectVersions:
    task = ObjectVersionsOperator(task_id="object_versions", shards=sent)
    context = outside.run.context("verify.object_versions", attempt)
    drill = Drill.open(context)
    [gathered] = task.gather(drill, context)
    assert gathered.error is None
    task.execute(context)
    facts: versions.ObjectVersions = gathered.facts
    return facts


def test_shards_are_joined_to_the_whole_bucket(outside: Outside, store: Store) -> None:
    sent = listed(outside)
    assert len(sent) == 2
    facts = joined(outside, sent)
    assert (facts.rows, facts.keys, facts.versions, facts.noncurrent_population) == (6, 6, 12, 6)
    assert {r.subject for r in outside.records() if r.kind == "object_shard"} == {f"{BUCKET}-000", f"{BUCKET}-001"}
    assert {r.task_id for r in outside.records() if r.kind == "object_shard"} == {"verify.object_listing.0", "verify.object_listing.1"}


def test_a_shard_whose_listing_failed_is_not_passed_over(outside: Outside, store: Store) -> None:
    store.away = {"uploads/"}
    sent = listed(outside)
    with pytest.raises(CheckInconclusiveError, match="listing_complete"):
        joined(outside, sent)


@pytest.mark.parametrize("sent", [[], None], ids=["no shard was planned", "the planning task failed"])
def test_nothing_planned_is_nothing_proven(outside: Outside, store: Store, sent: Any) -> None:
    with pytest.raises(CheckInconclusiveError, match="listing_complete"):
        joined(outside, sent)


def test_a_planned_shard_that_never_ran_is_told_by_name(outside: Outside, store: Store) -> None:
    sent = listed(outside, only=0)
    with pytest.raises(CheckInconclusiveError, match="listing_complete"):
        joined(outside, sent)
    [record] = [r for r in outside.records() if r.kind == "object_versions"]
    assert record.facts is not None
    assert record.facts["shard_errors"] == [f"shard {BUCKET}-001: there is no record of it"]


def test_two_mapped_tasks_may_be_tried_again(outside: Outside, store: Store) -> None:
    store.away = {"uploads/", "exports/"}
    listed(outside)
    store.away = set()
    facts = joined(outside, listed(outside, attempt=2))
    assert versions.judge_listed(facts, outside.run.plan).verdict is Verdict.PASS


def test_a_shard_listed_before_the_database_was_recovered_is_of_another_database(outside: Outside, store: Store) -> None:
    sent = listed(outside)
    recovered = replace(next(iter(outside.records())), kind="database_recovery", subject="drill", recorded_at="2099-01-01T00:00:00Z")
    found, errors = join.usable_shards([*outside.records(), recovered], BUCKET, map(shard_from, sent))
    assert (found, len(errors)) == ([], 2) and "before the database was recovered" in errors[0]


def test_damaged_bytes_in_one_shard_fail_the_bucket(outside: Outside, store: Store) -> None:
    store.content = "bb"
    sent = listed(outside)
    with pytest.raises(CheckFailedError, match="documents_resolve"):
        joined(outside, sent)
