"""Production's database, read alone: by a role that can only read, in read-only transactions that end quickly."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks.cnpg import WRITTEN, split
from dalp_dr_airflow.hooks.errors import CallError, NoAnswer, redact

APPLICATION_NAME = "dalp-recovery-drill"
_VARIABLE = re.compile(r"(?<!:):'([a-z_]+)'")
_PLAIN = re.compile(r"[A-Za-z0-9_,.:/-]*")


class SourceDatabaseHook(BaseHook):
    """An Airflow connection of type postgres. It has no method that writes, and the server is told to refuse writes."""

    hook_name = "DALP source database"

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def rows(self, sql: str, variables: Mapping[str, str] | None = None, timeout_seconds: float = 60) -> list[dict[str, str]]:
        """Rows of the last statement; every value as PostgreSQL writes it, NULL is "". NoAnswer or CallError when there are none."""
        import psycopg2

        statements = self.statements(sql, variables or {})
        try:
            connection = psycopg2.connect(self._dsn(), connect_timeout=10, application_name=APPLICATION_NAME)
        except psycopg2.Error as error:
            raise NoAnswer(
                f"Production's database does not answer: {redact(str(error).strip())}", "Look at the connection.", transient=True
            ) from None
        try:
            with connection, connection.cursor() as cursor:
                # A row policy would hide rows and make them look removed: better an error.
                cursor.execute("set transaction isolation level repeatable read, read only; set local row_security = off")
                cursor.execute(f"{WRITTEN} set local statement_timeout = {int(timeout_seconds * 1000)}")
                for statement in statements:
                    cursor.execute(statement)
                names = [c.name for c in cursor.description or ()]
                return [dict(zip(names, map(_text, row), strict=True)) for row in cursor.fetchall()]
        except psycopg2.Error as error:
            raise CallError(f"Production's database: {redact(str(error).strip())}", "Read the message; check the role's rights.") from None
        finally:
            connection.close()

    @staticmethod
    def statements(sql: str, variables: Mapping[str, str]) -> list[str]:
        """The text's statements with psql's `:'name'` filled in. Raises InputError where a variable is missing or odd."""

        def fill(match: re.Match[str]) -> str:
            value = variables.get(match[1])
            if value is None or not _PLAIN.fullmatch(value):
                raise InputError(f"SQL variable {match[1]} is missing or holds more than names and numbers.", "Report this.")
            return f"'{value}'"

        return split(_VARIABLE.sub(fill, sql))

    def _dsn(self) -> str:
        from psycopg2.extensions import make_dsn

        found = self.get_connection(self.conn_id)
        known = {"host": found.host, "port": found.port, "user": found.login, "password": found.password, "dbname": found.schema}
        tls = {name: value for name, value in found.extra_dejson.items() if name.startswith("ssl")}
        return str(make_dsn("", **{name: value for name, value in known.items() if value}, **tls))


def _text(value: object) -> str:
    return "" if value is None else str(value)
