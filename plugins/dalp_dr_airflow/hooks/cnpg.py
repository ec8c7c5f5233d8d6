"""The recovered CloudNativePG cluster in the sandbox: its object, its recovery pods, and SQL inside its primary pod."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks.errors import CallError, Missing, redact
from dalp_dr_airflow.hooks.kubernetes_paths import collection, segment
from dalp_dr_airflow.hooks.kubernetes_sandbox import SandboxKubernetesHook

PGDATA = "/var/lib/postgresql/data/pgdata"
APPLICATION_NAME = "dalp-recovery-drill"
RECOVERY_CONTAINERS = ("full-recovery", "plugin-barman-cloud")  # the cause of a failure is in either of them
LOG_LINES = 400
# How values are written as text; the same wherever rows are compared.
WRITTEN = """set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'iso_8601';
set local bytea_output = 'hex'; set local extra_float_digits = 1;"""
_END = "end of the script"
_CREATES = re.compile(r"(?:\s|--[^\n]*\n)*create\b", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9_,.:/-]*")


class CnpgHook(BaseHook):
    """Every method names namespace and cluster; SQL runs by exec, so no network route into the sandbox is needed."""

    def __init__(self, sandbox: SandboxKubernetesHook) -> None:
        super().__init__()
        self._sandbox = sandbox

    def cluster(self, namespace: str, name: str) -> dict[str, Any]:
        return self._sandbox.get(f"{collection('postgresql.cnpg.io/v1', 'clusters', namespace)}/{segment(name)}")

    def pods(self, namespace: str, cluster: str) -> list[dict[str, Any]]:
        """Instance and recovery pods."""
        return self._sandbox.list(collection("v1", "pods", namespace), f"cnpg.io/cluster={segment(cluster)}")

    def failed_recovery_pods(self, namespace: str, cluster: str) -> list[dict[str, Any]]:
        """Recovery pods that failed, oldest first: `{name, created_at, logs: {container: text}}`, logs redacted.

        A container that wrote no log (it never started) has a line that says so.
        """
        found = [
            p
            for p in self.pods(namespace, cluster)
            if p["metadata"].get("labels", {}).get("cnpg.io/jobRole") and p.get("status", {}).get("phase") == "Failed"
        ]
        return [
            {
                "name": p["metadata"]["name"],
                "created_at": p["metadata"]["creationTimestamp"],
                "logs": {c: self._container_log(namespace, p, c) for c in RECOVERY_CONTAINERS},
            }
            for p in sorted(found, key=lambda p: p["metadata"]["creationTimestamp"])
        ]

    def primary(self, namespace: str, cluster: str) -> str:
        """Name of the primary's pod. Missing when the cluster has none."""
        found = self.cluster(namespace, cluster).get("status", {}).get("currentPrimary")
        if not found:
            raise Missing(f"Cluster {namespace}/{cluster} has no primary.", "Look at its phase.")
        return str(found)

    def run(
        self,
        namespace: str,
        cluster: str,
        command: Sequence[str],
        stdin: str | None = None,
        timeout_seconds: float = 60,
    ) -> str:
        """Output of a program in the primary's `postgres` container, e.g. pg_amcheck."""
        return self._sandbox.exec(namespace, self.primary(namespace, cluster), "postgres", command, stdin, timeout_seconds)

    def psql(self, namespace: str, cluster: str, database: str, sql: str, timeout_seconds: float = 60) -> list[dict[str, str]]:
        """Rows of one text; see `psql_many`."""
        return self.psql_many(namespace, cluster, database, {"rows": sql}, timeout_seconds)["rows"]

    def psql_many(
        self,
        namespace: str,
        cluster: str,
        database: str,
        queries: Mapping[str, str],
        timeout_seconds: float = 60,
        variables: Mapping[str, str] | None = None,
    ) -> dict[str, list[dict[str, str]]]:
        """Rows of several SQL texts, all read in one REPEATABLE READ transaction, i.e. at one moment, which is rolled
        back.

        READ ONLY, unless a text creates what it needs (an extension, a temporary function). A text may hold several
        statements: the last one's rows count; the keys of a lone column `json_build_object` become columns. Every
        value is text as PostgreSQL writes it, NULL is "", so that no number is rounded. `variables` stand in the texts as
        psql's own, `:'name'`. CommandError when a statement fails, CallError when an answer is missing.
        """
        marker = uuid.uuid4().hex
        given = script(queries, marker, timeout_seconds, variables)
        return answers(self._psql(namespace, cluster, database, given, timeout_seconds), list(queries), marker)

    def change(self, namespace: str, cluster: str, database: str, sql: str, timeout_seconds: float = 60) -> None:
        """Runs a text that stays done, in one transaction. CommandError when a statement fails."""
        self._psql(namespace, cluster, database, f"begin;\n{sql.strip().rstrip(';')}\n;\ncommit;\n\\q\n", timeout_seconds)

    def _psql(self, namespace: str, cluster: str, database: str, given: str, timeout_seconds: float) -> str:
        connection = f"dbname={database} application_name={APPLICATION_NAME}"
        words = ["psql", "-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", "-f", "-", "-d", connection]
        return self.run(namespace, cluster, words, given, timeout_seconds + 10)

    def pg_controldata(self, namespace: str, cluster: str) -> dict[str, str]:
        """pg_controldata's lines as `{label: value}`, e.g. "Latest checkpoint's TimeLineID"."""
        lines = self.run(namespace, cluster, ["pg_controldata", "-D", PGDATA]).splitlines()
        return {label.strip(): value.strip() for label, _, value in (line.partition(":") for line in lines) if value}

    def _container_log(self, namespace: str, pod: Mapping[str, Any], container: str) -> str:
        try:
            return redact(self._sandbox.logs(namespace, pod["metadata"]["name"], container, LOG_LINES))
        except CallError as error:
            if error.status not in (400, 404):  # 400: the container never started
                raise
            return f"[no log: {error}]"


def script(queries: Mapping[str, str], marker: str, timeout_seconds: float, variables: Mapping[str, str] | None = None) -> str:
    """The psql script: one snapshot; a line with the marker before every statement and at the end.

    Raises InputError where a variable holds more than names and numbers: psql's own quoting is not relied upon.
    """
    statements = [(name, statement) for name, text in queries.items() for statement in split(text)]
    creates = any(_CREATES.match(statement) for _, statement in statements)
    told = variables or {}
    if odd := [name for name, value in told.items() if not _PLAIN.fullmatch(f"{name}{value}")]:
        raise InputError(f"SQL variable {odd[0]} holds more than names and numbers.", "Report this.")
    parts = [
        *(f"\\set {name} '{value}'" for name, value in told.items()),
        f"begin transaction isolation level repeatable read, read {'write' if creates else 'only'};",
        f"set local statement_timeout = '{int(timeout_seconds * 1000)}ms';",
        WRITTEN,
    ]
    for name, statement in statements:
        parts += [f"\\echo {marker} {name}", f"{statement}\n;"]
    return "\n".join([*parts, "rollback;", f"\\echo {marker} {_END}", "\\q", ""])


def split(text: str) -> list[str]:
    """The statements of a SQL text, without what ends them. A text without a semicolon is one, however long."""
    import sqlparse

    if ";" not in text:
        return [text.strip()]
    parsed = (s for s in sqlparse.parse(text) if s.token_first(skip_cm=True))
    return [str(s).strip().rstrip(";") for s in parsed]


def answers(output: str, names: Sequence[str], marker: str) -> dict[str, list[dict[str, str]]]:
    """The script's output taken apart. CallError when it does not hold an answer to every text, and the end."""
    found: dict[str, str] = {}
    for block in output.split(f"{marker} ")[1:]:
        name, _, rows = block.partition("\n")
        found[name] = rows
    if [*found] != [*names, _END]:
        raise CallError(f"psql answered {', '.join(found) or 'nothing'} where {', '.join(names)} was asked.", "Read the pod's log.")
    if silent := [name for name in names if not found[name].strip()]:
        raise CallError(
            f"The last statement of {silent[0]} is no query: it answered no rows and no columns.",
            "Correct the SQL text.",
        )
    return {name: [_unwrapped(row) for row in csv.DictReader(io.StringIO(found[name], newline=""))] for name in names}


def _unwrapped(row: dict[str, str]) -> dict[str, str]:
    if [*row] != ["json_build_object"]:
        return row
    return {key: "" if value is None else str(value) for key, value in json.loads(row["json_build_object"], parse_float=str).items()}
