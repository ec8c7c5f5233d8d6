"""Row versions of production and of the copy: which are compared, how they pair, and what the verdict is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dalp_dr.catalogue import KINDS
from dalp_dr.database import comparison, row_versions
from dalp_dr.database.comparison import Defined, TableComparison
from dalp_dr.database.row_versions import Table, Version
from dalp_dr.errors import FactError
from dalp_dr.model.check import Verdict
from dalp_dr.model.record import encode
from sandbox_sample import PLAN

TABLE = Table("public.holding", "1", 10_000, 8192, "record", "id", ("id", "amount"))
GOOD = TableComparison("public.holding", 100, 3, 0, 1, 1, (), 0)
DEFINED = {("table", "public.holding"): Defined("table", "public.holding", "a", True)}


def found(*tables: TableComparison, **changes: object) -> comparison.SourceComparison:
    return replace(comparison.facts_from(7, tables or (GOOD,), (), DEFINED, DEFINED), **changes)


def test_the_horizon_is_after_the_newest_transaction_that_came_from_production() -> None:
    commits = [
        {"xid": "90", "committed_at": "2026-10-06T05:59:00Z"},
        {"xid": "88", "committed_at": "2026-10-06T05:59:30Z"},
        {"xid": "91", "committed_at": "2026-10-06T06:02:00Z"},
    ]
    assert row_versions.horizon(commits, "2026-10-06T06:01:00Z") == 91
    with pytest.raises(FactError, match="No commit of before the recovery is known"):
        row_versions.horizon(commits[2:], "2026-10-06T06:01:00Z")


def test_versions_pair_by_place_and_writer() -> None:
    production = {p: Version(p, w, h, k) for p, w, h, k in [("(0,1)", 5, "a", "1"), ("(0,2)", 5, "b", "2"), ("(0,3)", 9, "c", "3")]}
    copy = {p: Version(p, w, h, k) for p, w, h, k in [("(0,1)", 5, "a", "1"), ("(0,2)", 5, "x", "2"), ("(0,3)", 5, "c", "9")]}
    result = row_versions.compare(production, copy)
    assert (result.same, [v.key for v in result.changed], [v.key for v in result.absent], result.since) == (1, ["2"], ["3"], 1)


def test_ranges_cover_every_page_and_a_sample_keeps_to_its_budget() -> None:
    every = list(row_versions.ranges(TABLE, TABLE.blocks, 4096))
    assert [(r.first, r.last) for r in every] == [(0, 4095), (4096, 8191), (8192, 9999)]
    assert row_versions.sample(every, 10_000 * 8192, "s") == tuple(every)
    some = row_versions.sample(every, 5000 * 8192, "s")
    assert 0 < len(some) < 3 and some == row_versions.sample(every, 5000 * 8192, "s")


@pytest.mark.parametrize(
    ("table", "verdict", "said"),
    [
        (GOOD, Verdict.PASS, ""),
        (replace(GOOD, differences=("row 1 at (0,1) is missing",), total_differences=1), Verdict.FAIL, "public.holding: row 1 at (0,1)"),
        (replace(GOOD, error="no answer"), Verdict.INCONCLUSIVE, "public.holding: no answer"),
        (replace(GOOD, rewritten=True), Verdict.INCONCLUSIVE, "rewritten in production"),
        (replace(GOOD, same=0), Verdict.INCONCLUSIVE, ""),
    ],
)
def test_rows(table: TableComparison, verdict: Verdict, said: str) -> None:
    result = comparison.judge_rows(found(table), PLAN)
    assert result.verdict is verdict
    assert not said or any(said in f for f in result.findings)


def test_no_tables_prove_nothing() -> None:
    assert comparison.judge_rows(found(tables=()), PLAN).verdict is Verdict.INCONCLUSIVE
    assert comparison.judge_catalogue(found(objects_compared=0), PLAN).verdict is Verdict.INCONCLUSIVE


def test_definitions_that_production_changed_since_are_not_asked_of_the_copy() -> None:
    at = ("table", "public.holding")
    changed = comparison.facts_from(7, (GOOD,), (), {at: replace(DEFINED[at], digest="b", settled=False)}, DEFINED)
    assert (changed.objects_compared, changed.objects_changed_since, changed.objects_different) == (0, 1, ())
    different = comparison.facts_from(7, (GOOD,), (), {at: replace(DEFINED[at], digest="b")}, DEFINED)
    assert comparison.judge_catalogue(different, PLAN).findings == ("table public.holding is defined otherwise",)
    missing = comparison.facts_from(7, (GOOD,), (), DEFINED, {})
    assert comparison.judge_catalogue(missing, PLAN).findings == ("table public.holding is missing",)


@pytest.mark.parametrize(("named", "subjects"), [("dalp_source_database", ("drill",)), (None, ())])
def test_it_is_asked_only_where_production_can_be_read(named: str | None, subjects: tuple[str, ...]) -> None:
    connections = PLAN.environment.connections.model_copy(update={"source_database": named})
    plan = replace(PLAN, environment=PLAN.environment.model_copy(update={"connections": connections}))
    assert KINDS["source_comparison"].subjects(plan) == subjects


def test_the_record_is_read_back_as_it_was_written() -> None:
    assert KINDS["source_comparison"].decode(json.loads(json.dumps(encode(found())))) == found()
