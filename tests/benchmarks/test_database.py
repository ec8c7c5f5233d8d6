"""B5: rows of production against rows of the copy, and reladiff. B6: the integrity plan beside the comparison, and one after another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import Server

from harness import ROOT, Side, compare

ROWS = 300_000
TABLE = f"""
create table transfer (
    id bigint primary key, token text not null, block bigint not null, amount numeric(78, 0) not null, note text, at timestamptz not null);
insert into transfer
select n, md5((n % 7)::text), n / 10, n::numeric * 1000000007, 'note ' || md5(n::text), timestamptz '2026-01-01' + n * interval '1 second'
from generate_series(1, {ROWS}) n;
vacuum analyze transfer;
checkpoint;
"""
CHANGED = ("123456", "234567")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """PostgreSQL must be able to enter it, so it is not below pytest's own."""
    with tempfile.TemporaryDirectory(prefix="dalp-dr-bench-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture(scope="module")
def pair(folder: Path) -> Iterator[tuple[Server, Server]]:
    """Production and its copy: one row changed, one lost."""
    production = Server(folder / "production").start()
    production.psql(TABLE)
    production.stop()
    copy = Server.copy(production, folder / "copy").start()
    production.start()
    copy.psql(f"update transfer set amount = amount + 1 where id = {CHANGED[0]}; delete from transfer where id = {CHANGED[1]}")
    yield production, copy
    production.stop()
    copy.stop()


def test_rows_against_reladiff(pair: tuple[Server, Server]) -> None:
    ports = tuple(str(server.port) for server in pair)
    result, ours, _ = compare(
        "B5",
        "production's table against the copy's, all columns; reladiff by key, all columns",
        f"{ROWS:,} rows, 2 differences",
        Side("row versions", "compare_rows.py", (*ports, str(ROOT / "include/sql/dalp-3.x/comparable.sql"))),
        Side("reladiff 0.6.0", "reladiff_rows.py", ports),
        goal=3,
        measure="wall",
        notes=("CPU is the client's; the servers' work is in the wall seconds",),
    )
    assert [run.found for run in ours] == [sorted(CHANGED)] * len(ours)
    assert result.met, result.line()


SCALE = 34  # 500 MB


@pytest.fixture(scope="module")
def large(folder: Path) -> Iterator[Server]:
    """pgbench's tables with one byte flipped near the end of the largest, so that nearly all of it is read."""
    server = Server(folder / "large").start()
    server.program("pgbench", "-i", "-q", "-s", str(SCALE))
    file = server.file_of("pgbench_accounts")
    server.psql("checkpoint")
    server.stop()
    Server.flip(file, file.stat().st_size // 8192 * 19 // 20 * 8192 + 4000)
    yield server.start()
    server.stop()


def test_integrity_beside_itself(large: Server) -> None:
    result, ours, _ = compare(
        "B6",
        "integrity plan in two sessions; the same parts one after another",
        "500 MB of pgbench, one flipped byte",
        Side("two sessions", "check_integrity.py", (str(large.port), "2")),
        Side("one after another", "check_integrity.py", (str(large.port), "1")),
        goal=1.3,
        measure="wall",
        notes=("CPU is the client's; the server's work is in the wall seconds",),
    )
    assert all(run.found["findings"] and "pgbench_accounts" in run.found["findings"][0] for run in ours)
    assert result.met, result.line()
