"""The REST client: tokens, pages, and answers as Airflow 3.3.2 gave them (shortened)."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr_lab.drill.rest import AirflowApi, ApiError

TASK = {
    "task_id": "verify.volumes",
    "map_index": 2,
    "try_number": 1,
    "state": "deferred",
    "start_date": "2026-11-24T15:22:23.2Z",
    "end_date": None,
}
QUESTION = {
    "subject": "Approve the drill",
    "body": None,
    "options": ["Approve", "Reject"],
    "params": {"comment": {"value": "", "schema": {"type": ["null", "string"]}, "source": "task"}},
    "assigned_users": [{"id": "owner", "name": "owner"}],
    "task_instance": {"task_id": "sign_off.approve", "map_index": -1, "try_number": 1},
}
RUN = {
    "dag_id": "quarterly_drill",
    "dag_run_id": "manual__1",
    "state": "queued",
    "run_after": "2026-11-24T15:16:21.872285Z",
}


class Scripted(AirflowApi):
    """Answers calls from a table; the first token expires after one call."""

    def __init__(self, answers: dict[str, Any], expire: bool = False) -> None:
        super().__init__("http://airflow/", "starter", "secret")
        self.answers, self.expire = answers, expire
        self.sent: list[tuple[str, str, Any, str | None]] = []

    def _send(self, method: str, path: str, body: Any, token: str | None) -> Any:
        self.sent.append((method, path, body, token))
        if path == "/auth/token":
            return {"access_token": f"token-{sum(one[1] == path for one in self.sent)}"}
        if self.expire and token == "token-1":
            raise ApiError("expired", 401)
        found = self.answers[path.split("?")[0].rsplit("/", 1)[-1]]
        if isinstance(found, ApiError):
            raise found
        return found(path) if callable(found) else found


def test_a_run_is_triggered_without_a_logical_date() -> None:
    api = Scripted({"dagRuns": RUN})
    run = api.trigger("quarterly_drill", {"dry_run": True}, "a note")
    assert (run.run_id, run.ended, run.run_after.isoformat()) == (
        "manual__1",
        False,
        "2026-11-24T15:16:21.872285+00:00",
    )
    assert api.sent[-1][2] == {"logical_date": None, "conf": {"dry_run": True}, "note": "a note"}


def test_an_expired_token_is_renewed_once() -> None:
    api = Scripted({"manual__1": RUN}, expire=True)
    assert api.run("quarterly_drill", "manual__1").state == "queued"
    assert api.run("quarterly_drill", "manual__1").state == "queued"
    assert [one[1] for one in api.sent].count("/auth/token") == 2


def test_refusals_are_not_repeated() -> None:
    api = Scripted({"manual__1": ApiError("forbidden", 403)})
    with pytest.raises(ApiError, match="forbidden"):
        api.run("quarterly_drill", "manual__1")
    assert len(api.sent) == 2


def test_every_page_is_read() -> None:
    api = Scripted(
        {
            "taskInstances": lambda path: {
                "task_instances": [TASK] * 100 if "offset=0" in path else [TASK] * 5,
                "total_entries": 105,
            }
        }
    )
    found = api.task_instances("quarterly_drill", "manual__1")
    assert len(found) == 105
    assert (found[0].map_index, found[0].state, found[0].ended_at) == (2, "deferred", None)


def test_a_question_carries_its_form() -> None:
    (asked,) = Scripted({"hitlDetails": {"hitl_details": [QUESTION]}}).questions("quarterly_drill", "manual__1")
    assert (asked.form, asked.assigned_users, asked.body) == ({"comment": ""}, ("owner",), "")


def test_names_are_quoted_in_addresses() -> None:
    api = Scripted({"manual__2026-11-24T15%3A16%3A21%2B00%3A00": RUN})
    api.run("quarterly_drill", "manual__2026-11-24T15:16:21+00:00")


def test_an_unknown_dag_is_none_and_other_errors_are_errors() -> None:
    assert Scripted({"details": ApiError("no such DAG", 404)}).dag("nope") is None
    with pytest.raises(ApiError):
        Scripted({"details": ApiError("broken", 500)}).dag("nope")
