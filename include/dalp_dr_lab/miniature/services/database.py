"""Connections to PostgreSQL: one long-lived session for each use, named after its service."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions

from . import settings


class Database:
    """One session, opened when first needed and again when it was lost; one transaction at a time."""

    def __init__(self, application_name: str) -> None:
        self._name = application_name
        self._lock = threading.Lock()
        self._connection: psycopg2.extensions.connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor; commits at the end of the block, rolls back and re-raises on any error."""
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = self._connect()
            try:
                with self._connection, self._connection.cursor() as cursor:
                    yield cursor
            except psycopg2.OperationalError:
                self._connection.close()
                raise

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of one query."""
        with self.transaction() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def check(self) -> None:
        """Raise unless the database answers and has the schema this build was made for."""
        found = self.rows("select max(version) from schema_migration")[0][0]
        if found != settings.SCHEMA_VERSION:
            raise settings.SettingsError(f"database schema is {found}, this build needs {settings.SCHEMA_VERSION}")

    def _connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(
            host=settings.required("DB_HOST"),
            user=settings.required("DB_USER"),
            password=settings.required("DB_PASSWORD"),
            dbname=settings.required("DB_NAME"),
            application_name=self._name,
            connect_timeout=3,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("set timezone to 'UTC'")
            cursor.execute("set statement_timeout to '15s'")
        return connection
