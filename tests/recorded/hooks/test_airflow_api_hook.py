"""Airflow's API: pages are read to the end, the log-in happens once, and nothing is guessed when it does not answer."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dalp_dr.errors import FactError
from dalp_dr_airflow.hooks.airflow_api import PAGE, AirflowApiHook
from dalp_dr_airflow.hooks.errors import Denied, RetryPolicy

ROWS = [{"event": "clear_dag_run", "event_log_id": n} for n in range(PAGE + 3)]


def connect(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    known = {"conn_type": "http", "host": "http://airflow.example:8080", "login": "vera", "password": "hunter22", **fields}
    monkeypatch.setenv("AIRFLOW_CONN_DALP_AIRFLOW_API", json.dumps(known))


def hook(answer: Callable[[urllib.request.Request], Any]) -> AirflowApiHook:
    return AirflowApiHook("dalp_airflow_api", lambda r: json.dumps(answer(r)).encode(), RetryPolicy(attempts=2, sleep=lambda s: None))


def test_every_page_is_read_by_one_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch)
    asked: list[str] = []

    def answer(request: urllib.request.Request) -> Any:
        asked.append(request.get_method() + " " + urlsplit(request.full_url).path)
        if request.full_url.endswith("/auth/token"):
            assert json.loads(request.data or b"")["username"] == "vera"  # type: ignore[arg-type]
            return {"access_token": "t1"}
        assert request.get_header("Authorization") == "Bearer t1"
        words = parse_qs(urlsplit(request.full_url).query)
        start = int(words["offset"][0])
        assert words["after"] == ["2026-10-06T06:00:00Z"] and "success" in words["excluded_events"]
        return {"event_logs": ROWS[start : start + PAGE], "total_entries": len(ROWS)}

    assert hook(answer).changes("2026-10-06T06:00:00Z") == ROWS
    assert asked == ["POST /auth/token", "GET /api/v2/eventLogs", "GET /api/v2/eventLogs"]


def test_a_run_is_named_safely_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, login=None, password="bearer-token")
    paths: list[str] = []

    def answer(request: urllib.request.Request) -> Any:
        assert request.get_header("Authorization") == "Bearer bearer-token"
        paths.append(urlsplit(request.full_url).path)
        return {"task_instances": [], "total_entries": 0}

    assert hook(answer).task_instances("quarterly_drill", "manual__2026-10-06T06:00:00+00:00/..") == []
    assert paths == ["/api/v2/dags/quarterly_drill/dagRuns/manual__2026-10-06T06%3A00%3A00%2B00%3A00%2F../taskInstances"]


def test_who_may_not_read_it_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch)

    def answer(request: urllib.request.Request) -> Any:
        if request.full_url.endswith("/auth/token"):
            return {"access_token": "t1"}
        raise urllib.error.HTTPError(request.full_url, 403, "Forbidden", Message(), None)

    with pytest.raises(Denied) as found:
        hook(answer).changes("2026-10-06T06:00:00Z")
    assert "hunter22" not in found.value.diagnostics()


def test_no_connection_is_a_fact_that_is_missing() -> None:
    with pytest.raises(FactError, match="who cleared tasks"):
        AirflowApiHook("dalp_no_such_connection").changes("2026-10-06T06:00:00Z")
