"""Airflow's own REST API, asked for what people did to a run: tasks have no access to the metadata database."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook

from dalp_dr.errors import FactError, InputError
from dalp_dr_airflow.hooks.connections import endpoint
from dalp_dr_airflow.hooks.errors import Missing, RetryPolicy, translate

TIMEOUT_SECONDS = 30.0
PAGE = 100
TASK_STATES = ("running", "success", "failed", "skipped", "deferred", "up_for_retry", "up_for_reschedule", "awaiting_input", "queued")
Send = Callable[[urllib.request.Request], bytes]


def send(request: urllib.request.Request) -> bytes:
    """The body of the answer."""
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        body: bytes = answer.read()
        return body


class AirflowApiHook(BaseHook):
    """Reads the audit log and the task instances of a run; sends GET only, besides its log-in.

    The connection: host is the API's address; login and password are a user's who may read the audit log, or the
    password alone is a bearer token.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_airflow_api"
    conn_type = "http"
    hook_name = "Airflow API (audit of the run)"

    def __init__(self, conn_id: str, transport: Send = send, retries: RetryPolicy | None = None) -> None:
        super().__init__()
        self.conn_id, self._transport, self._retries = conn_id, transport, retries or RetryPolicy(attempts=3)

    @cached_property
    def url(self) -> str:
        try:
            return endpoint(self.conn_id).rstrip("/")
        except InputError:
            raise
        except Exception as error:  # whatever a secrets backend raises for a connection that does not exist
            raise FactError(
                f"Connection {self.conn_id} cannot be read ({type(error).__name__}): who cleared tasks of this run is not known.",
                "Make it: address of Airflow's API, and a user who may read the audit log.",
            ) from None

    def user(self) -> str:
        """As whom the connection reads."""
        return self.get_connection(self.conn_id).login or "bearer token"

    def changes(self, since: str) -> list[dict[str, Any]]:
        """Rows of the audit log since a moment that are no task's change of its own state."""
        words = [("after", since), ("order_by", "id"), *(("excluded_events", state) for state in TASK_STATES)]
        return list(self._pages("/api/v2/eventLogs", "event_logs", words))

    def successes(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Rows of the audit log in which workers report the success of a run's tasks."""
        return list(self._pages("/api/v2/eventLogs", "event_logs", [("dag_id", dag_id), ("run_id", run_id), ("event", "success")]))

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Every task of a run in its newest attempt."""
        path = f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        return list(self._pages(path, "task_instances", []))

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        """State of a run, e.g. "running"; None when Airflow does not know it."""
        try:
            return str(self._get(f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}")["state"])
        except Missing:
            return None

    def _pages(self, path: str, name: str, words: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._get(f"{path}?{urlencode([*words, ('limit', str(PAGE)), ('offset', str(offset))])}")
            found = page[name]
            yield from found
            offset += len(found)
            if not found or offset >= page["total_entries"]:
                return

    def _get(self, path: str) -> Any:
        return self._ask(urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self._token}"}), f"GET {path}")

    @cached_property
    def _token(self) -> str:
        connection = self.get_connection(self.conn_id)
        if not connection.login:
            return connection.password or ""
        said = json.dumps({"username": connection.login, "password": connection.password}).encode()
        asked = urllib.request.Request(f"{self.url}/auth/token", said, {"Content-Type": "application/json"}, method="POST")
        return str(self._ask(asked, "POST /auth/token")["access_token"])

    def _ask(self, request: urllib.request.Request, what: str) -> Any:
        def once() -> Any:
            with translate("ask Airflow's API", what.partition("?")[0]):
                return json.loads(self._transport(request))

        return self._retries.call(once)
