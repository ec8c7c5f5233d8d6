"""Every row of a table on two servers, all columns, by row version: names the keys that differ. Arguments: both ports."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import psycopg2

from dalp_dr.database import row_versions
from dalp_dr.database.side_by_side import Sides, compare_tables
from dalp_dr_airflow.hooks.source_database import SourceDatabaseHook
from side import Work, report


def asked(port: str) -> Callable[[str], list[dict[str, Any]]]:
    connection = psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres")

    def ask(sql: str) -> list[dict[str, Any]]:
        with connection.cursor() as cursor:
            for statement in SourceDatabaseHook.statements(sql, {}):
                cursor.execute(statement)
            return [dict(zip([c.name for c in cursor.description], row, strict=True)) for row in cursor.fetchall()]

    return ask


production, copy = map(asked, sys.argv[1:3])
before = int(copy("select mod(pg_snapshot_xmax(pg_current_snapshot())::text::numeric, 4294967296)::text as xid")[0]["xid"])
with open(sys.argv[3], encoding="utf-8") as text:
    listing = text.read()
with Work() as work:
    theirs, ours = (row_versions.tables(side(listing)) for side in (production, copy))
    found, _ = compare_tables(Sides(production, copy, before), theirs, ours, 1 << 40, "seed", lambda total: lambda done: None)
keys = sorted({difference.split()[1] for table in found for difference in table.differences})
report(found=keys, same=sum(t.same for t in found), **work.seconds)
