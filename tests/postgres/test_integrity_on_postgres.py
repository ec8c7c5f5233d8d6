"""Real damage in a real PostgreSQL is found and named: flipped bytes, broken constraints, sequences behind."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from postgres_server import Server, drill_on

from dalp_dr.database import integrity
from dalp_dr.model.check import CheckResult, Verdict
from dalp_dr_airflow.operators.database_integrity import DatabaseIntegrityOperator

pytestmark = pytest.mark.lab

PAGE = 8192
MIDDLE = 2 * PAGE + 4000  # inside the tuples of the third page
Make = Callable[..., Server]


def facts_of(server: Server, **changes: object) -> integrity.DatabaseIntegrity:
    drill = drill_on(server, **changes)
    found: integrity.DatabaseIntegrity = DatabaseIntegrityOperator(task_id="integrity").integrity(drill).facts
    return found


def judged(server: Server, judge: Callable[..., CheckResult], **changes: object) -> CheckResult:
    drill = drill_on(server, **changes)
    return judge(facts_of(server), drill.plan)


def test_a_sound_database_passes_with_every_relation_read(restored: Make, capsys: pytest.CaptureFixture[str]) -> None:
    server = restored()
    found = facts_of(server)
    plan = drill_on(server).plan
    for judge in (integrity.judge_integrity, integrity.judge_constraints, integrity.judge_sequences):
        result = judge(found, plan)
        assert result.verdict is Verdict.PASS, result
    assert (found.tables["public.holding"], found.tables["public.paper"]) == (3000, 40)
    assert found.relations_listed == found.heaps_checked + found.indexes_checked + found.others_checked
    assert found.deep_indexes == found.indexes_checked
    assert re.search(r"integrity: (\d+) of \1 MB, [\d.]+ MB/s, [\d.]+ s in all", capsys.readouterr().out)
    assert server.psql("select count(*) from pg_extension where extname in ('amcheck', 'pg_prewarm')") == "0", "nothing stays behind"


@pytest.mark.parametrize(
    ("name", "offset", "said"),
    [
        ("holding", MIDDLE, "heap holding: invalid page in block 2"),
        ("holding_amount", MIDDLE, "index holding_amount: invalid page in block 2"),
        ("toast", MIDDLE, "invalid page in block 2"),
        ("holding_note", MIDDLE, "other holding_note: invalid page in block 2"),
        ("holding_id_seq", 4000, "other holding_id_seq: invalid page in block 0"),
    ],
)
def test_one_flipped_byte_is_found_and_named(restored: Make, name: str, offset: int, said: str) -> None:
    result = judged(restored((name, offset)), integrity.judge_integrity)
    assert result.verdict is Verdict.FAIL
    assert any(said in finding for finding in result.findings), result.findings
    if name == "toast":
        assert any("heap pg_toast.pg_toast_" in finding for finding in result.findings)


DAMAGE = {
    "not valid": (
        "alter table holding add constraint small check (amount < 10) not valid",
        "small on holding was never validated",
    ),
    "check": (
        "alter table holding drop constraint holding_amount_check; update holding set amount = -id where id in (5, 6); "
        "alter table holding add constraint holding_amount_check check (amount >= 0) not valid; "
        "update pg_constraint set convalidated = true where conname = 'holding_amount_check'",
        "public.holding: 2 rows break check holding_amount_check",
    ),
    "not null": (
        "alter table holding alter column amount drop not null; update holding set amount = null where id = 5; "
        "update pg_attribute set attnotnull = true where attrelid = 'holding'::regclass and attname = 'amount'",
        "public.holding: 1 rows break not null of column amount",
    ),
    "foreign key": (
        "set session_replication_role = replica; delete from token where address = '0xaa'",
        "public.holding: 3000 rows name nothing that exists, which breaks holding_token_fkey",
    ),
    "unique": (
        "update pg_index set indisready = false where indexrelid = 'paper_pkey'::regclass; insert into paper values (7, 'twice'); "
        "update pg_index set indisready = true where indexrelid = 'paper_pkey'::regclass",
        "public.paper: 1 keys are there twice, which breaks paper_pkey",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_rows_that_break_a_constraint_are_counted(restored: Make, case: str) -> None:
    server = restored()
    change, said = DAMAGE[case]
    server.psql(f"set allow_system_table_mods = on; {change}")
    result = judged(server, integrity.judge_constraints)
    assert result.verdict is Verdict.FAIL
    assert said in result.findings, result.findings


def test_a_sequence_behind_its_column_is_named(restored: Make) -> None:
    server = restored()
    server.psql("select setval('holding_id_seq', 10)")
    result = judged(server, integrity.judge_sequences)
    assert (result.verdict, result.findings) == (
        Verdict.FAIL,
        ("sequence holding_id_seq gives 11 next, holding.id already has 3000",),
    )


def test_an_index_that_lacks_a_row_is_found(restored: Make) -> None:
    server = restored()
    server.psql(
        "set allow_system_table_mods = on; update pg_index set indisready = false where indexrelid = 'holding_amount'::regclass; "
        "insert into holding (token, amount) values ('0xbb', 9999); "
        "update pg_index set indisready = true where indexrelid = 'holding_amount'::regclass"
    )
    result = judged(server, integrity.judge_integrity)
    assert any("holding_amount" in f and "lacks matching index tuple" in f for f in result.findings), result.findings


def test_an_extension_that_was_there_before_stays(restored: Make) -> None:
    server = restored()
    server.psql("create schema tools; create extension amcheck schema tools")
    assert judged(server, integrity.judge_integrity).verdict is Verdict.PASS
    assert server.psql("select extnamespace::regnamespace from pg_extension where extname = 'amcheck'") == "tools"
