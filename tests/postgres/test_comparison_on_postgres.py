"""Production and its copy, two real servers: production goes on writing, and what the copy lost or changed is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from postgres_server import Server, drill_on

from dalp_dr.database import comparison
from dalp_dr.model.check import Verdict
from dalp_dr_airflow.hooks.errors import CallError, NoAnswer
from dalp_dr_airflow.hooks.source_database import SourceDatabaseHook
from dalp_dr_airflow.operators.database_comparison import SourceComparisonOperator
from dalp_dr_lab.airflow.metadata import programs

pytestmark = pytest.mark.lab

Make = Callable[..., Server]
CREATED = "2999-01-01T00:00:00Z"  # of the copy's Cluster: every commit in the copy is older


@pytest.fixture
def compared(restored: Make, monkeypatch: pytest.MonkeyPatch) -> Callable[..., comparison.SourceComparison]:
    """Compares production (a copy that has gone on) with the copy."""

    def compare(production: Server, copy: Server, **changes: object) -> comparison.SourceComparison:
        production.psql("do $$ begin create role reader login in role pg_read_all_data; exception when others then null; end $$")
        conn = {"conn_type": "postgres", "host": "127.0.0.1", "port": production.port, "login": "reader", "schema": "postgres"}
        monkeypatch.setenv("AIRFLOW_CONN_SOURCE", json.dumps(conn))
        drill = drill_on(copy, **changes)
        drill.cnpg.cluster = lambda *_: {"metadata": {"creationTimestamp": CREATED}}  # type: ignore[method-assign]
        drill.__dict__["source_database"] = SourceDatabaseHook("source")
        found: comparison.SourceComparison = SourceComparisonOperator(task_id="comparison").compare(drill).facts
        return found

    return compare


PLAN = SimpleNamespace()  # these judges ask nothing of it
BUSY = """
insert into holding (token, amount, note) select '0xbb', n, 'later' from generate_series(1, 500) n;
update holding set note = 'changed since' where id between 100 and 150;
delete from holding where id between 200 and 210;
vacuum holding;
insert into holding (token, amount, note) select '0xbb', n, 'in reused places' from generate_series(501, 700) n;
create table younger (id integer); insert into younger values (1);
create index later on holding (note);
"""


def test_what_production_did_since_is_no_difference(restored: Make, compared: Callable[..., comparison.SourceComparison]) -> None:
    production, copy = restored(), restored()
    production.psql(BUSY)
    found = compared(production, copy)
    tables = {t.name: t for t in found.tables}
    assert comparison.judge_rows(found, PLAN).verdict is Verdict.PASS, found
    assert comparison.judge_catalogue(found, PLAN).verdict is Verdict.PASS, found
    assert (tables["public.holding"].same, tables["public.holding"].since) == (3000 - 51 - 11, 51 + 11)
    assert (tables["public.paper"].same, tables["public.token"].same) == (40, 2)
    assert found.objects_changed_since >= 2, "the new table and index are known not to be the copy's"


DAMAGE = {
    "a column": (
        "update holding set amount = 1e6 + id where id = 1234",
        "public.holding: row 1234 at (",
    ),
    "a lost row": ("delete from holding where id = 42", "public.holding: row 42 at (0,42) is missing"),
    "a lost table": ("drop table paper cascade", "public.paper: the table is missing, with 40 rows"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_the_copy_lost_is_named_though_production_goes_on(
    restored: Make, compared: Callable[..., comparison.SourceComparison], case: str
) -> None:
    production, copy = restored(), restored()
    change, said = DAMAGE[case]
    copy.psql(change)
    production.psql(BUSY)
    found = compared(production, copy)
    result = comparison.judge_rows(found, PLAN)
    assert result.verdict is Verdict.FAIL
    assert [f for f in result.findings if said in f], result.findings


def test_a_byte_changed_inside_a_value_is_named_with_its_column(
    restored: Make, compared: Callable[..., comparison.SourceComparison]
) -> None:
    """Without the page's checksum nothing else would see it."""
    production, copy = restored(), restored()
    file = copy.file_of("holding")
    copy.stop()
    data = bytearray(file.read_bytes())
    place = data.index(b"note 1777")
    data[place + 5 : place + 9] = b"6666"
    file.write_bytes(data)
    copy.run([str(programs() / "pg_checksums"), "--disable", "-D", str(copy.folder)])
    copy.start()
    result = comparison.judge_rows(compared(production, copy), PLAN)
    assert result.verdict is Verdict.FAIL
    assert len(result.findings) == 1
    assert result.findings[0].startswith("public.holding: row 1777 at (") and result.findings[0].endswith(" differs in note")


def test_a_definition_that_differs_is_named(restored: Make, compared: Callable[..., comparison.SourceComparison]) -> None:
    production, copy = restored(), restored()
    copy.psql("drop index holding_amount; create or replace view large as select * from holding where amount > 11")
    result = comparison.judge_catalogue(compared(production, copy), PLAN)
    assert result.verdict is Verdict.FAIL
    assert result.findings == ("index public.holding_amount is missing", "view public.large is defined otherwise")


def test_a_table_rewritten_since_is_compared_whole_or_not_at_all(
    restored: Make, compared: Callable[..., comparison.SourceComparison]
) -> None:
    production, copy = restored(), restored()
    production.psql("vacuum full holding")
    assert comparison.judge_rows(compared(production, copy), PLAN).verdict is Verdict.PASS
    production.psql("delete from holding where id = 1; vacuum full holding")
    result = comparison.judge_rows(compared(production, copy), PLAN)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "rewritten in production" in result.findings[0]


def test_what_cannot_be_read_does_not_pass(restored: Make, compared: Callable[..., comparison.SourceComparison]) -> None:
    production, copy = restored(), restored(("paper", 2000))
    result = comparison.judge_rows(compared(production, copy), PLAN)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert any("public.paper" in f and "invalid page" in f for f in result.findings), result.findings


def test_production_is_only_read_and_hidden_rows_are_an_error(restored: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    server = restored()
    server.psql("create role reader login in role pg_read_all_data, pg_write_all_data; alter table token enable row level security")
    conn = {"conn_type": "postgres", "host": "127.0.0.1", "port": server.port, "login": "reader", "schema": "postgres"}
    monkeypatch.setenv("AIRFLOW_CONN_SOURCE", json.dumps(conn))
    hook = SourceDatabaseHook("source")
    with pytest.raises(CallError, match="read-only transaction"):
        hook.rows("insert into paper values (99, 'x') returning id")
    with pytest.raises(CallError, match="row-level security"):
        hook.rows("select * from token")
    server.stop()
    with pytest.raises(NoAnswer, match="does not answer"):
        hook.rows("select 1 as one")
    server.start()
