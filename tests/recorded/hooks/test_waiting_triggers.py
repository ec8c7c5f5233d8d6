"""The waits, replayed on what the real controllers wrote."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger

from dalp_dr_airflow.hooks.errors import CallError, call_error
from dalp_dr_airflow.triggers import custom_object
from dalp_dr_airflow.triggers.custom_object import CustomObjectTrigger
from dalp_dr_airflow.triggers.recovery import RecoveryTrigger
from dalp_dr_airflow.triggers.restore import RestoreTrigger
from fake_http import KUBERNETES, FakeHttp

DATA = Path(__file__).parents[1] / "data"
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
TRIGGERS = (RestoreTrigger, RecoveryTrigger)


class Replay:
    """AsyncReads over a recorded history: every look at the named object advances it by one event."""

    def __init__(self, name: str, recording: str, logs: dict[str, str] | None = None, weather: dict[int, CallError] | None = None) -> None:
        self.events = [json.loads(line) for line in (DATA / recording).read_text().splitlines()]
        self.name, self.logs, self.weather = name, logs or {}, weather or {}
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.looks = 0

    def advance(self) -> None:
        self.looks += 1
        if self.looks in self.weather:
            raise self.weather[self.looks]
        if self.events:
            event = self.events.pop(0)
            key = (event["object"]["kind"], event["object"]["metadata"]["name"])
            if event["event"] == "DELETED":
                self.objects.pop(key, None)
            else:
                self.objects[key] = event["object"]

    async def get(self, path: str) -> dict[str, Any]:
        self.advance()
        kind = "Restore" if "/restores/" in path else "Cluster"
        try:
            return self.objects[kind, path.rsplit("/", 1)[-1]]
        except KeyError:
            raise call_error("get", path, 404, "not found") from None

    async def list(self, path: str, selector: str) -> Any:
        kind = "PodVolumeRestore" if "podvolumerestores" in path else "Pod"
        return [o for (k, _), o in self.objects.items() if k == kind]

    async def log(self, namespace: str, pod: str, container: str, tail: int) -> str:
        if container not in self.logs:
            raise call_error("get", "log", 400, "container is waiting to start")
        return self.logs[container]


def event_of(trigger: CustomObjectTrigger, reads: Replay, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    @asynccontextmanager
    async def connected(conn_id: str) -> AsyncIterator[Replay]:
        yield reads

    monkeypatch.setattr(custom_object, "async_reads", connected)

    async def collect() -> list[dict[str, Any]]:
        return [event.payload async for event in trigger.run()]

    events = asyncio.run(collect())
    assert len(events) == 1
    assert json.loads(json.dumps(events[0])) == events[0]
    return events[0]


def restore(name: str, **settings: Any) -> RestoreTrigger:
    return RestoreTrigger(conn_id="k", namespace="velero", name=name, poll_seconds=0, **{"deadline": LATER, **settings})


def recovery(name: str) -> RecoveryTrigger:
    return RecoveryTrigger(conn_id="k", namespace="n", name=name, poll_seconds=0, deadline=LATER)


@pytest.mark.parametrize(
    ("recording", "name", "status", "phase", "said"),
    [
        ("ok", "drill-a", "done", "Completed", ""),
        ("pvr-wrong-repo-password", "drill-badpw", "done", "PartiallyFailed", ""),
        ("admission", "drill-quota", "done", "PartiallyFailed", ""),
        ("missing-backup", "drill-nobackup", "failed", None, "FailedValidation"),
        ("server-restart", "drill-killed2", "failed", None, "InProgress"),
    ],
)
def test_recorded_restores(recording: str, name: str, status: str, phase: str | None, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    event = event_of(restore(name), Replay(name, f"restores/{recording}.jsonl"), monkeypatch)
    assert (event["status"], event["summary"].get("phase"), event["name"]) == (status, phase, name)
    assert said in event["message"]


def test_a_restore_waits_for_its_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    event = event_of(restore("drill-a"), Replay("drill-a", "restores/ok.jsonl"), monkeypatch)
    assert event["summary"]["volumes"] == 2


def test_a_recovery_that_succeeds_keeps_the_logs_its_pod_takes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = {"full-recovery": "restored log file token=hunter22", "plugin-barman-cloud": "downloaded"}
    event = event_of(recovery("pitr-ok"), Replay("pitr-ok", "recoveries/ok.jsonl", logs), monkeypatch)
    assert event["status"] == "done"
    assert event["logs"] == {"full-recovery": "restored log file token=***", "plugin-barman-cloud": "downloaded"}
    assert event["pods"] == []


def test_a_recovery_that_cannot_succeed_ends_at_its_first_failed_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = {c: (DATA / f"recoveries/beyond-archive.{c}.log").read_text() for c in ("full-recovery", "plugin-barman-cloud")}
    event = event_of(recovery("pitr-future"), Replay("pitr-future", "recoveries/beyond-archive.jsonl", logs), monkeypatch)
    assert event["status"] == "failed"
    assert len(event["pods"]) == 1
    assert event["pods"][0] in event["message"]
    assert "recovery ended before configured recovery target was reached" in event["logs"]["full-recovery"]


def test_bad_weather_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    weather = {n: call_error("get", "x", status, "weather") for n, status in enumerate((429, 500, 503, 504, None), start=2)}
    event = event_of(restore("drill-a"), Replay("drill-a", "restores/ok.jsonl", weather=weather), monkeypatch)
    assert event["status"] == "done"


@pytest.mark.parametrize(("status", "event_status"), [(404, "gone"), (403, "error"), (401, "error")])
def test_what_will_not_pass_ends_the_wait(status: int, event_status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = call_error("get", "restores.velero.io drill-a", status, "no")
    replay = Replay("drill-a", "restores/ok.jsonl", weather={3: said, 4: said})  # after a first 401 the credentials are read again
    event = event_of(restore("drill-a"), replay, monkeypatch)
    assert event["status"] == event_status
    assert "drill-a" in event["message"]


def test_the_deadline_is_a_moment_and_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = restore("drill-a", deadline=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    event = event_of(trigger, Replay("drill-a", "restores/ok.jsonl"), monkeypatch)
    assert event["status"] == "timeout"
    assert "Restore drill-a" in event["message"]


def test_a_restore_in_which_nothing_moves_ends_the_wait_and_says_what_was_seen_last(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay("drill-a", "restores/ok.jsonl")
    replay.events = replay.events[:2]  # then Velero writes nothing any more
    event = event_of(restore("drill-a", stall_seconds=0.05), replay, monkeypatch)
    assert event["status"] == "timeout"
    assert "Nothing moved" in event["message"] and "Restore drill-a" in event["message"]


@pytest.mark.parametrize("kind", TRIGGERS)
def test_a_trigger_survives_the_database(kind: type[CustomObjectTrigger]) -> None:
    trigger = kind(conn_id="k", namespace="n", name="x", timeout_seconds=60, poll_seconds=3, stall_seconds=9)
    path, settings = json.loads(json.dumps(trigger.serialize()))
    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**settings)
    assert type(again) is kind
    assert again.serialize() == trigger.serialize()
    assert datetime.fromisoformat(again.deadline) <= datetime.now(UTC) + timedelta(seconds=60)


@pytest.mark.parametrize("kind", TRIGGERS)
def test_nothing_is_deleted_when_a_trigger_is_killed(kind: type[CustomObjectTrigger]) -> None:
    assert kind.on_kill is BaseTrigger.on_kill


@pytest.mark.parametrize("kind", TRIGGERS)
def test_a_wait_without_a_deadline_is_refused(kind: type[CustomObjectTrigger]) -> None:
    with pytest.raises(ValueError, match="deadline"):
        kind(conn_id="k", namespace="n", name="x")


def test_the_real_asynchronous_client(kubernetes: FakeHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages, 503 and 404 through kubernetes_asyncio itself."""
    path = "/apis/velero.io/v1/namespaces/velero"
    volume = {"metadata": {"name": "v"}, "status": {"phase": "Completed"}}
    kubernetes.refuse("GET", f"{path}/restores/drill-a", 503, "starting")
    kubernetes.answer("GET", f"{path}/restores/drill-a", {"metadata": {"name": "drill-a"}, "status": {"phase": "Completed"}})
    kubernetes.answer("GET", f"{path}/podvolumerestores", {"items": [volume], "metadata": {"continue": "t"}})
    kubernetes.answer("GET", f"{path}/podvolumerestores", {"items": [volume], "metadata": {}})

    def payload(name: str) -> dict[str, Any]:
        async def collect() -> dict[str, Any]:
            trigger = RestoreTrigger(conn_id=KUBERNETES, namespace="velero", name=name, poll_seconds=0.01, deadline=LATER)
            return [event.payload async for event in trigger.run()].pop()

        return asyncio.run(collect())

    found = payload("drill-a")
    assert (found["status"], found["summary"]) == ("done", {"phase": "Completed", "volumes": 2})
    assert kubernetes.asked[0].headers["authorization"] == "Bearer a-token"
    assert payload("drill-b")["status"] == "gone"
