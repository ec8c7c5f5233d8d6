"""The schema of the database, applied once for each version."""

from __future__ import annotations

from pathlib import Path

from . import settings
from .database import Database

LOCK = 7215  # any number, the same for every instance


def apply(database: Database) -> None:
    """Apply what is missing, one instance at a time."""
    with database.transaction() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        cursor.execute(
            """create table if not exists schema_migration (
                version integer primary key, applied_at timestamptz not null default now())"""
        )
        cursor.execute("select coalesce(max(version), 0) from schema_migration")
        if cursor.fetchone()[0] >= settings.SCHEMA_VERSION:
            return
        cursor.execute((Path(__file__).parent / "schema.sql").read_text())
        cursor.execute("insert into schema_migration (version) values (%s)", (settings.SCHEMA_VERSION,))
