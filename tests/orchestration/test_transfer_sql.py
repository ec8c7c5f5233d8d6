"""The SQL texts about transfers on a real PostgreSQL: the same digests as from the chain's events, and the rows they stand for."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.chain import ranges
from dalp_dr.chain.token import ZERO, Transfer
from fake_node import ALICE, BOB, CAROL, TOKEN

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
SQL = ROOT / "include" / "sql" / "dalp-3.x"
SCHEMA = ROOT / "include" / "dalp_dr_lab" / "miniature" / "services" / "schema.sql"
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    """A server on a socket of its own, with the miniature's tables."""
    import psycopg2

    owner = pwd.getpwnam("postgres")
    folder = Path(tempfile.mkdtemp(prefix="transfers-", dir="/tmp"))
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    kept = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": [], "cwd": folder, "check": True, "capture_output": True}
    start = ["-o", f"-k {folder} -c listen_addresses= -c fsync=off", "-l", str(folder / "log"), "-w"]
    subprocess.run([PROGRAMS[-1] / "initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"], **kept)
    subprocess.run([PROGRAMS[-1] / "pg_ctl", "-D", folder / "data", *start, "start"], **kept)
    try:
        connection = psycopg2.connect(host=str(folder), user="postgres", dbname="postgres")
        with connection.cursor() as cursor:
            cursor.execute(SCHEMA.read_text())
        yield connection
        connection.close()
    finally:
        subprocess.run([PROGRAMS[-1] / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop"], **kept)
        shutil.rmtree(folder)


def transfers(last: int, count: int = 600) -> list[Transfer]:
    drawn = random.Random(7)
    places = sorted({(drawn.randrange(last + 1), drawn.randrange(40)) for _ in range(count)})
    holders = (ZERO, ALICE, BOB, CAROL)
    return [
        Transfer(
            TOKEN, drawn.choice(holders), drawn.choice(holders[1:]), drawn.randrange(10**77), block, log, f"0x{drawn.getrandbits(256):064x}"
        )
        for block, log in places
    ]


def filled(database: Any, rows: list[Transfer], checkpoint: int) -> Any:
    cursor = database.cursor()
    cursor.execute("truncate idxr_transfer, idxr_token, idxr_checkpoint cascade")
    cursor.execute("insert into idxr_token (address, symbol, decimals) values (%s, 'T', 18)", (TOKEN,))
    cursor.execute("insert into idxr_checkpoint values (31337, %s, %s)", (checkpoint, "0x" + "00" * 32))
    cursor.executemany(
        "insert into idxr_transfer (token, sender, recipient, value, block_number, log_index, tx_hash) values (%s, %s, %s, %s, %s, %s, %s)",
        [tuple(e) for e in rows],
    )
    return cursor


def answer(cursor: Any, name: str, **numbers: int) -> list[dict[str, Any]]:
    text = (SQL / f"{name}.sql").read_text()
    for key, value in numbers.items():
        text = text.replace(f":{key}", str(value))
    cursor.execute(text)
    names = [c.name for c in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.parametrize("checkpoint", [950, 199_999, 200_000, 200_001, 2_000_000, 2_000_001, 20_000_000])
def test_digests_of_the_database_are_those_of_the_events(database: Any, checkpoint: int) -> None:
    rows = transfers(checkpoint)
    width = ranges.width_of(checkpoint)
    collector = ranges.Collector(width)
    for event in rows:
        collector.add(event)
    found = ranges.of_index(answer(filled(database, rows, checkpoint), "transfer_ranges"), width)
    assert found == collector.ranges()
    assert len(found) > 5


def test_one_changed_value_changes_one_range(database: Any) -> None:
    rows = transfers(950)
    cursor = filled(database, rows, 950)
    before = ranges.of_index(answer(cursor, "transfer_ranges"), 100)
    cursor.execute("update idxr_transfer set value = value + 1 where block_number = %s and log_index = %s", rows[100][4:6])
    after = ranges.of_index(answer(cursor, "transfer_ranges"), 100)
    assert [first for first in before if before[first] != after[first]] == [rows[100].block_number // 100 * 100]


def test_digests_of_blocks_are_those_of_the_events(database: Any) -> None:
    rows = transfers(950)
    collector = ranges.Collector(100)  # nothing is expected, so that every range differs and keeps its blocks
    for event in rows:
        collector.add(event)
    collector.ranges()
    found = answer(filled(database, rows, 950), "transfer_blocks", first=300, last=399, limit=100)
    assert {int(r["block_number"]): r["digest"] for r in found} == collector.blocks[300]


def test_rows_of_one_range_in_order_and_not_more_than_asked(database: Any) -> None:
    rows = transfers(950)
    cursor = filled(database, rows, 950)
    mine = [e for e in rows if 300 <= e.block_number <= 399]
    found = answer(cursor, "transfers_between", first=300, last=399, limit=50_000)
    assert [(int(r["block_number"]), int(r["log_index"]), r["value"]) for r in found] == [(e[4], e[5], str(e[3])) for e in mine]
    assert len(answer(cursor, "transfers_between", first=300, last=399, limit=3)) == 3


def test_what_transfers_leave_each_holder(database: Any) -> None:
    rows = transfers(950)
    net = {h: sum(e.value * ((e.recipient == h) - (e.sender == h)) for e in rows) for h in (ALICE, BOB, CAROL)}
    found = answer(filled(database, rows, 950), "transfers_net")
    assert {r["holder"]: int(r["balance"]) for r in found} == {h: v for h, v in net.items() if v}
