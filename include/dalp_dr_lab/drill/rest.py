"""Airflow's REST API v2 as the runner needs it: one user, typed answers, a token that is renewed."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dalp_dr_lab.errors import LabError

TIMEOUT_SECONDS = 60
PAGE = 100


class ApiError(LabError):
    """The API refused a call; `status` is HTTP's, or 0 when nothing answered."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Dag:
    """A DAG as Airflow knows it: default values of its params, and when its file was read last."""

    params: Mapping[str, Any]
    parsed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DagRun:
    """One run of a DAG. `run_after` is the moment it was asked for; a rerun does not move it."""

    dag_id: str
    run_id: str
    state: str
    run_after: datetime

    @property
    def ended(self) -> bool:
        """Whether nothing of the run is to come."""
        return self.state in ("success", "failed")


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """One task of a run in its newest try; `state` is None before the scheduler took it up."""

    task_id: str
    map_index: int
    try_number: int
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Question:
    """A task that waits for a person: what it asks, the options, and its form `{field: default value}`."""

    task_id: str
    map_index: int
    try_number: int
    subject: str
    body: str
    options: tuple[str, ...]
    form: Mapping[str, Any] = field(default_factory=dict)
    assigned_users: tuple[str, ...] = ()


class AirflowApi:
    """Calls of one user. Logs in at the first call and again whenever the token has expired."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self.user = user
        self._password = password
        self._token: str | None = None

    def dag(self, dag_id: str) -> Dag | None:
        """The DAG; None while Airflow does not know it."""
        try:
            details = self._call("GET", f"/api/v2/dags/{_quoted(dag_id)}/details")
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        params = {name: _default(one) for name, one in (details.get("params") or {}).items()}
        return Dag(params, _moment(details["last_parsed_time"]))

    def import_errors(self, since: datetime) -> dict[str, str]:
        """`{file: error}` of DAG files that could not be read, of attempts since then."""
        found = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return {one["filename"]: one["stack_trace"] for one in found if datetime.fromisoformat(one["timestamp"]) >= since}

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self._call("PATCH", f"/api/v2/dags/{_quoted(dag_id)}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any], note: str) -> DagRun:
        """Ask for a run, without a logical date: a drill is about now."""
        body = {"logical_date": None, "conf": dict(conf), "note": note}
        return _dag_run(self._call("POST", f"/api/v2/dags/{_quoted(dag_id)}/dagRuns", body))

    def runs(self, dag_id: str) -> list[DagRun]:
        """The newest runs of a DAG, up to a page; none when Airflow does not know it."""
        try:
            found = self._call("GET", f"/api/v2/dags/{_quoted(dag_id)}/dagRuns?order_by=-run_after&limit={PAGE}")
        except ApiError as error:
            if error.status == 404:
                return []
            raise
        return [_dag_run(one) for one in found["dag_runs"]]

    def end(self, run: DagRun, note: str) -> None:
        """Mark a run failed, so that nothing of it goes on."""
        self._call("PATCH", _run_path(run.dag_id, run.run_id), {"state": "failed", "note": note})

    def run(self, dag_id: str, run_id: str) -> DagRun:
        """The run as it is now."""
        return _dag_run(self._call("GET", _run_path(dag_id, run_id)))

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """Every task of the run, mapped ones too."""
        found: list[TaskInstance] = []
        while True:
            page = self._call("GET", f"{_run_path(dag_id, run_id)}/taskInstances?limit={PAGE}&offset={len(found)}")
            found += [_task_instance(one) for one in page["task_instances"]]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                return found

    def instance_id(self, run: DagRun, task_id: str) -> str:
        """Airflow's id of a task instance in its newest try; the title of its process has it."""
        return str(self._call("GET", f"{_run_path(run.dag_id, run.run_id)}/taskInstances/{_quoted(task_id)}")["id"])

    def xcom(self, run: DagRun, task_id: str, key: str) -> Any:
        """What a task of the run left under a key; None when it left nothing."""
        place = f"taskInstances/{_quoted(task_id)}/xcomEntries/{_quoted(key)}"
        try:
            return self._call("GET", f"{_run_path(run.dag_id, run.run_id)}/{place}")["value"]
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def questions(self, dag_id: str, run_id: str) -> list[Question]:
        """What the run asks people and nobody has answered yet."""
        found = self._call("GET", f"{_run_path(dag_id, run_id)}/hitlDetails?response_received=false")
        return [_question(one) for one in found["hitl_details"]]

    def answer(self, dag_id: str, run_id: str, question: Question, option: str, form: Mapping[str, Any]) -> None:
        """Answer a question as this user."""
        place = f"taskInstances/{_quoted(question.task_id)}/{question.map_index}/hitlDetails"
        body = {"chosen_options": [option], "params_input": dict(form)}
        self._call("PATCH", f"{_run_path(dag_id, run_id)}/{place}", body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        if self._token is None:
            self._token = self._log_in()
        try:
            return self._send(method, path, body, self._token)
        except ApiError as error:
            if error.status != 401:
                raise
        self._token = self._log_in()
        return self._send(method, path, body, self._token)

    def _log_in(self) -> str:
        answer = self._send("POST", "/auth/token", {"username": self.user, "password": self._password}, None)
        return str(answer["access_token"])

    def _send(self, method: str, path: str, body: Any, token: str | None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            words = error.read().decode(errors="replace")[:500]
            raise ApiError(f"Airflow answered {error.code} to {method} {path} by {self.user}: {words}", error.code) from None
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            raise ApiError(f"Airflow does not answer at {self.url} ({error}). Run `python -m dalp_dr_lab status`.", 0) from error


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}"


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _dag_run(found: Mapping[str, Any]) -> DagRun:
    asked_at = _moment(found["run_after"])
    if asked_at is None:
        raise ApiError(f"Airflow's run {found['dag_run_id']} has no run_after.", 200)
    return DagRun(dag_id=found["dag_id"], run_id=found["dag_run_id"], state=found["state"], run_after=asked_at)


def _task_instance(found: Mapping[str, Any]) -> TaskInstance:
    return TaskInstance(
        task_id=found["task_id"],
        map_index=found["map_index"],
        try_number=found["try_number"],
        state=found["state"],
        started_at=_moment(found["start_date"]),
        ended_at=_moment(found["end_date"]),
    )


def _question(found: Mapping[str, Any]) -> Question:
    task = found["task_instance"]
    return Question(
        task_id=task["task_id"],
        map_index=task["map_index"],
        try_number=task["try_number"],
        subject=found["subject"],
        body=found.get("body") or "",
        options=tuple(found["options"]),
        form={name: _default(one) for name, one in (found.get("params") or {}).items()},
        assigned_users=tuple(one["id"] for one in found.get("assigned_users") or ()),
    )


def _default(param: Any) -> Any:
    return param["value"] if isinstance(param, Mapping) and "value" in param else param
