"""Damage of the restored database; findings are amcheck's own, seen on flipped bytes of a heap, an index and a TOAST page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dalp_dr.catalogue import KINDS
from dalp_dr.database import integrity, relations
from dalp_dr.database.integrity import Answer
from dalp_dr.database.relations import Relation
from dalp_dr.model.check import Verdict
from dalp_dr.model.record import encode
from sandbox_sample import PLAN

MB = 1024**2
SETTINGS = {"server_version": "17.12", "data_checksums": "on", "track_commit_timestamp": "on", "checksum_failures": "0"}
NAMES = PLAN.environment.database.required_tables
LISTED = (
    *(Relation(1000 + i, "heap", name, f"public.{name}", 8192, 8192, True) for i, name in enumerate(NAMES)),
    Relation(2000, "index", "document_pkey", "public.document_pkey", 16384, 8192, False),
    Relation(3000, "other", "document_id_seq", "public.document_id_seq", 8192, 8192, False),
)
SOUND = [{"kind": r.kind, "relation": r.relation, "finding": ""} for r in LISTED]
TABLES = [{"name": f"public.{t}", "rows": "3", "digest": "-17", "broken": "", "error": ""} for t in NAMES]
SEQUENCES = [
    {"sequence": "document_id_seq", "filled": "document.id", "step": "1", "next": "4", "furthest": "3", "error": ""},
    {"sequence": "delivery_id_seq", "filled": "delivery.id", "step": "1", "next": "1", "furthest": "", "error": ""},
    {"sequence": "down_seq", "filled": "down.id", "step": "-1", "next": "-9", "furthest": "-8", "error": ""},
]
PARTS = {p.text: p for p in relations.parts(LISTED, frozenset({2000}))}


def found(
    pages: Any = SOUND, contents: Any = TABLES, inventory: Any = (), sequences: Any = SEQUENCES, errors: Any = (), **settings: Any
) -> integrity.DatabaseIntegrity:
    answers = [Answer(PARTS["integrity"], pages), Answer(PARTS["contents"], contents), *errors]
    return integrity.facts_from([SETTINGS | settings], inventory, sequences, LISTED, answers, deep_indexes=1)


JUDGES = (integrity.judge_integrity, integrity.judge_tables, integrity.judge_constraints, integrity.judge_sequences)


def test_a_sound_database_passes() -> None:
    assert [judge(found(), PLAN).verdict for judge in JUDGES] == [Verdict.PASS] * len(JUDGES)


def damaged(kind: str, relation: str, file: str) -> list[dict[str, str]]:
    return [*SOUND, {"kind": kind, "relation": relation, "finding": f"invalid page in block 1 of relation {file} (XX001)"}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pages": damaged("heap", "document", "base/16391/16506")}, "heap document: invalid page in block 1"),
        ({"pages": damaged("index", "document_pkey", "base/16391/16513")}, "index document_pkey: invalid page in block 1"),
        ({"pages": damaged("heap", "pg_toast.pg_toast_16559", "base/16391/16562")}, "heap pg_toast.pg_toast_16559: invalid page"),
        ({"inventory": [{"kind": "invalid_index", "name": "transfer_tx"}]}, "index transfer_tx is invalid"),
        (
            {"contents": [*TABLES, {"name": "public.big", "rows": "", "digest": "", "broken": "", "error": "invalid page"}]},
            "table public.big could not be read",
        ),
        ({"checksum_failures": "2"}, "2 page checksum failures"),
    ],
)
def test_each_damage_is_named(change: dict[str, Any], said: str) -> None:
    result = integrity.judge_integrity(found(**change), PLAN)
    assert result.verdict is Verdict.FAIL
    assert any(said in f for f in result.findings), result.findings


CUT_OFF = Answer(PARTS["integrity"], (), "the connection was lost")


@pytest.mark.parametrize(
    "change",
    [{"pages": []}, {"pages": SOUND[:1]}, {"pages": SOUND[1:]}, {"data_checksums": "off"}, {"errors": [CUT_OFF]}, {"contents": []}],
)
def test_what_was_not_checked_does_not_pass(change: dict[str, Any]) -> None:
    assert integrity.judge_integrity(found(**change), PLAN).verdict is Verdict.INCONCLUSIVE


def test_a_missing_table_is_named() -> None:
    result = integrity.judge_tables(found(contents=TABLES[1:]), PLAN)
    assert result.findings == (f"table {NAMES[0]} is missing",)


@pytest.mark.parametrize(
    ("change", "verdict", "said"),
    [
        ({"inventory": [{"kind": "unvalidated_constraint", "name": "positive on holding"}]}, Verdict.FAIL, "positive on holding was never"),
        ({"contents": [TABLES[0] | {"broken": "2 rows break check x"}, *TABLES[1:]]}, Verdict.FAIL, "2 rows break check x"),
        ({"contents": TABLES[1:]}, Verdict.INCONCLUSIVE, "no answer speaks of it"),
        ({"contents": []}, Verdict.INCONCLUSIVE, ""),
        ({"errors": [CUT_OFF]}, Verdict.INCONCLUSIVE, "the connection was lost"),
    ],
)
def test_constraints(change: dict[str, Any], verdict: Verdict, said: str) -> None:
    result = integrity.judge_constraints(found(**change), PLAN)
    assert result.verdict is verdict
    assert not said or any(said in f for f in result.findings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (SEQUENCES[0] | {"next": "3"}, "sequence document_id_seq gives 3 next, document.id already has 3"),
        (SEQUENCES[2] | {"next": "-8"}, "sequence down_seq gives -8 next"),
    ],
)
def test_a_sequence_behind_its_column_is_named(change: dict[str, str], said: str) -> None:
    result = integrity.judge_sequences(found(sequences=[change]), PLAN)
    assert result.verdict is Verdict.FAIL
    assert said in result.findings[0]


def test_a_sequence_that_could_not_be_read_does_not_pass() -> None:
    unread = SEQUENCES[0] | {"next": "", "error": "invalid page"}
    assert integrity.judge_sequences(found(sequences=[unread]), PLAN).verdict is Verdict.INCONCLUSIVE


def test_a_record_of_before_these_questions_does_not_answer_them() -> None:
    old = {k: v for k, v in encode(found()).items() if k not in {"broken", "sequences"}}
    read = KINDS["database_integrity"].decode(old)
    assert integrity.judge_constraints(read, PLAN).verdict is Verdict.INCONCLUSIVE
    assert integrity.judge_sequences(read, PLAN).verdict is Verdict.INCONCLUSIVE


def test_the_record_is_read_back_as_it_was_written() -> None:
    read = found()
    assert KINDS["database_integrity"].decode(json.loads(json.dumps(encode(read)))) == read


def test_a_large_heap_is_cut_and_small_relations_are_put_together() -> None:
    large = Relation(1, "heap", "large", "public.large", 300 * MB, 8192, True)
    parts = relations.parts([large, *LISTED], frozenset())
    heaps = [part for p in parts for name, value in p.variables if name == "heaps" for part in value.split(",") if part.startswith("1:")]
    assert sorted(heaps) == ["1:0:16383", "1:16384:32767", "1:32768:38399"]
    assert {name for p in parts for name in p.relations} >= {r.relation for r in LISTED} | {f"public.{n}" for n in NAMES}
    assert [p.bytes_ for p in parts] == sorted((p.bytes_ for p in parts), reverse=True)


def test_beyond_the_budget_a_seeded_sample_of_indexes_is_compared_with_all_rows() -> None:
    indexes = [Relation(i, "index", f"i{i}", f"public.i{i}", 10 * MB, 8192, False) for i in range(20)]
    chosen = relations.deep(indexes, 50 * MB, "seed")
    assert len(chosen) == 5
    assert chosen == relations.deep(indexes, 50 * MB, "seed") != relations.deep(indexes, 50 * MB, "another")
    assert relations.deep(indexes, 200 * MB, "seed") == {r.oid for r in indexes}


def test_an_index_compared_with_all_rows_weighs_its_table_too() -> None:
    index = Relation(7, "index", "large_pkey", "public.large_pkey", 80 * MB, 8192, False, 400 * MB)
    deep, shallow = (relations.parts([index, *LISTED], chosen) for chosen in (frozenset({7}), frozenset()))
    assert (deep[0].bytes_, deep[0].relations) == (480 * MB, ("large_pkey",))
    assert shallow[0].bytes_ < 128 * MB
