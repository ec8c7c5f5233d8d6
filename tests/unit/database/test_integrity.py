"""Damage of the restored database; findings are amcheck's own, seen on flipped bytes of a heap, an index and a TOAST page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dalp_dr.catalogue import KINDS
from dalp_dr.database import facts, integrity
from dalp_dr.model.check import Verdict
from dalp_dr.model.record import encode
from sandbox_sample import PLAN

SETTINGS = {"server_version": "17.12", "data_checksums": "on", "track_commit_timestamp": "on", "checksum_failures": "0"}
SOUND = [{"kind": "heap", "relation": "document", "finding": ""}, {"kind": "index", "relation": "document_pkey", "finding": ""}]
TABLES = [{"kind": "table", "name": f"public.{t}", "rows": "3", "error": ""} for t in PLAN.environment.database.required_tables]


def found(relations: Any = SOUND, inventory: Any = TABLES, **settings: Any) -> integrity.DatabaseIntegrity:
    return facts.integrity(PLAN, settings=[SETTINGS | settings], integrity=relations, inventory=inventory)


def test_a_sound_database_passes() -> None:
    assert integrity.judge_integrity(found(), PLAN).verdict is Verdict.PASS
    assert integrity.judge_tables(found(), PLAN).verdict is Verdict.PASS


def damaged(kind: str, relation: str, file: str) -> list[dict[str, str]]:
    return [*SOUND, {"kind": kind, "relation": relation, "finding": f"invalid page in block 1 of relation {file} (XX001)"}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"relations": damaged("heap", "document", "base/16391/16506")}, "heap document: invalid page in block 1"),
        ({"relations": damaged("index", "document_pkey", "base/16391/16513")}, "index document_pkey: invalid page in block 1"),
        ({"relations": damaged("heap", "pg_toast.pg_toast_16559", "base/16391/16562")}, "heap pg_toast.pg_toast_16559: invalid page"),
        (
            {"inventory": [*TABLES, {"kind": "invalid_index", "name": "transfer_tx", "rows": "", "error": ""}]},
            "index transfer_tx is invalid",
        ),
        (
            {"inventory": [*TABLES, {"kind": "table", "name": "public.big", "rows": "", "error": "invalid page"}]},
            "table public.big could not be read",
        ),
        ({"checksum_failures": "2"}, "2 page checksum failures"),
    ],
)
def test_each_damage_is_named(change: dict[str, Any], said: str) -> None:
    result = integrity.judge_integrity(found(**change), PLAN)
    assert result.verdict is Verdict.FAIL
    assert any(said in f for f in result.findings), result.findings


@pytest.mark.parametrize("change", [{"relations": []}, {"relations": SOUND[:1]}, {"data_checksums": "off"}])
def test_what_was_not_checked_does_not_pass(change: dict[str, Any]) -> None:
    assert integrity.judge_integrity(found(**change), PLAN).verdict is Verdict.INCONCLUSIVE


def test_a_missing_table_is_named() -> None:
    result = integrity.judge_tables(found(inventory=TABLES[1:]), PLAN)
    assert result.findings == (f"table {PLAN.environment.database.required_tables[0]} is missing",)


def test_the_record_is_read_back_as_it_was_written() -> None:
    read = found()
    assert KINDS["database_integrity"].decode(json.loads(json.dumps(encode(read)))) == read
