"""The route switch through the lab's real entrance: two small stacks, a client that knows the public name alone, there and back."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dalp_dr.errors import FactError
from dalp_dr.evidence.store import FolderStore
from dalp_dr.model.check import Verdict
from dalp_dr.model.plan import DrillPlan
from dalp_dr.services import route_switch
from dalp_dr.services.route_switch import Backend, RouteSwitch
from dalp_dr_airflow.errors import DrillRefusedError
from dalp_dr_airflow.hooks.errors import CallError, Conflict, Denied, Missing
from dalp_dr_airflow.hooks.kubernetes_api import HttpAnswer
from dalp_dr_airflow.hooks.kubernetes_paths import path_of
from dalp_dr_airflow.hooks.routes import PublicClientHook, RouteControlHook
from dalp_dr_airflow.operators import route_switch as operator
from dalp_dr_lab import entrance
from sandbox_sample import a_plan, an_environment

HOST = "dapp.dalp.example.com.drill.invalid"
PRODUCTION, RESTORED = b"console of production", b"console of the drill"
JUDGES = (route_switch.judge_moved, route_switch.judge_back, route_switch.judge_in_time)


@contextmanager
def serving(made: ThreadingHTTPServer) -> Iterator[str]:
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"127.0.0.1:{made.server_address[1]}"
    finally:
        made.shutdown()
        made.server_close()


def a_stack(body: bytes) -> ThreadingHTTPServer:
    class Stack(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Silent."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Stack)


class FakeSandbox:
    """Services and policies by path; the restored service answers as it does through the entrance."""

    def __init__(self, plan: DrillPlan, port: int, direct: bytes) -> None:
        self.plan, self.direct = plan, direct
        namespace = plan.namespace("app")
        self.objects: dict[str, Any] = {
            f"/api/v1/namespaces/{namespace}/services/dalp-dapp": {"spec": {"clusterIP": "127.0.0.1"}},
            f"/apis/apps/v1/namespaces/{namespace}/deployments/dalp-dapp": {"spec": {"selector": {"matchLabels": {"app": "dapp"}}}},
        }
        self.opened: list[dict[str, Any]] = []

    def get(self, path: str) -> dict[str, Any]:
        if path not in self.objects:
            raise Missing(f"{path} is not there.")
        return dict(self.objects[path])

    def create(self, item: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        self.opened.append(item)
        self.objects[path_of(item)] = item | {"metadata": item["metadata"] | {"uid": "u-1"}}
        return item, True

    def delete(self, path: str, uid: str, grace_seconds: int | None = None) -> bool:
        return self.objects.pop(path, None) is not None

    def service_request(self, namespace: str, service: str, port: int, path: str) -> HttpAnswer:
        return HttpAnswer(200, self.direct, 0.0)


class Stage(SimpleNamespace):
    """Everything of one test: the drill, the entrance's mapping file, both stacks."""

    def mapped(self) -> list[dict[str, Any]]:
        return entrance.read(self.mapping)[HOST]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    mapping = tmp_path / "mapping.json"
    monkeypatch.setattr(operator, "POLL_SECONDS", 0.01)
    with (
        serving(a_stack(PRODUCTION)) as production,
        serving(a_stack(RESTORED)) as restored,
        serving(entrance.server("127.0.0.1", 0, mapping, "the-token")) as public,
    ):
        entrance.write(mapping, {HOST: [{"name": "production", "address": production, "weight": 100}]})
        control = {"conn_type": "http", "host": f"http://{public}", "password": "the-token"}
        monkeypatch.setenv("AIRFLOW_CONN_CONTROL", json.dumps(control))
        monkeypatch.setenv("AIRFLOW_CONN_PUBLIC", json.dumps({"conn_type": "http", "host": f"http://{public}"}))
        port = int(restored.rpartition(":")[2])
        services = tuple(s.model_copy(update={"port": port}) if s.name == "dalp-dapp" else s for s in an_environment().services)
        switch = an_environment().route_switch.model_copy(update={"max_seconds": 1})
        plan = a_plan(an_environment(services=services, route_switch=switch), route_switch=True)
        drill = SimpleNamespace(
            plan=plan,
            drill_id=plan.drill_id,
            sandbox=FakeSandbox(plan, port, RESTORED),
            evidence=FolderStore(tmp_path / "evidence"),
            route_control=RouteControlHook("control"),
            public_client=PublicClientHook("public"),
            key=lambda *parts: "/".join(("drills", plan.drill_id, *parts)),
            records=lambda: [],
        )
        yield Stage(drill=drill, mapping=mapping, production=production, restored=restored)


def rehearse(stage: Stage) -> RouteSwitch:
    found = operator.RouteSwitchOperator(task_id="rehearse").rehearse(stage.drill)
    assert isinstance(found.facts, RouteSwitch)
    return found.facts


def test_clients_reach_the_restored_stack_and_then_production_again(stage: Stage) -> None:
    facts = rehearse(stage)
    assert [judge(facts, stage.drill.plan).verdict for judge in JUDGES] == [Verdict.PASS] * 3
    (host,) = facts.hosts
    assert [b.name for b in host.before] == [b.name for b in host.after] == ["production"]
    assert host.switched[0].address == stage.restored
    assert host.switch_seconds is not None and host.back_seconds is not None
    assert [m["name"] for m in stage.mapped()] == ["production"]
    assert stage.drill.public_client.ask(HOST, "/").body == PRODUCTION


def test_the_way_into_the_sandbox_is_open_only_meanwhile(stage: Stage) -> None:
    rehearse(stage)
    (policy,) = stage.drill.sandbox.opened
    assert policy["spec"]["ingress"][0]["from"] == [{"ipBlock": {"cidr": "10.250.0.0/16"}}]
    assert path_of(policy) not in stage.drill.sandbox.objects


def test_an_entrance_that_does_not_get_into_the_sandbox_fails_and_is_mapped_back(stage: Stage) -> None:
    stage.drill.sandbox.objects[f"/api/v1/namespaces/{stage.drill.plan.namespace('app')}/services/dalp-dapp"]["spec"]["clusterIP"] = (
        "127.0.0.9"
    )
    facts = rehearse(stage)
    result = route_switch.judge_moved(facts, stage.drill.plan)
    assert result.verdict is Verdict.FAIL and "502" in result.findings[0]
    assert route_switch.judge_back(facts, stage.drill.plan).verdict is Verdict.PASS
    assert stage.drill.public_client.ask(HOST, "/").body == PRODUCTION


def test_another_stack_than_the_restored_one_is_no_switch(stage: Stage) -> None:
    stage.drill.sandbox.direct = b"something else"
    assert route_switch.judge_moved(rehearse(stage), stage.drill.plan).verdict is Verdict.FAIL


def test_stacks_that_answer_the_same_prove_nothing(stage: Stage) -> None:
    stage.drill.sandbox.direct = PRODUCTION
    entrance.write(stage.mapping, {HOST: [{"name": "production", "address": stage.production, "weight": 100}]})
    facts = rehearse(stage)
    assert route_switch.judge_moved(facts, stage.drill.plan).verdict is not Verdict.PASS
    assert any("cannot be told" in f for f in route_switch.judge_moved(facts, stage.drill.plan).findings)


def test_a_rerun_puts_back_what_the_first_attempt_found(stage: Stage) -> None:
    operator.found_before(stage.drill)
    stage.drill.route_control.write(HOST, [Backend("left over", stage.restored)], stage.drill.route_control.read(HOST)[1], dry_run=False)
    facts = rehearse(stage)
    assert [m["name"] for m in stage.mapped()] == ["production"]
    assert facts.hosts[0].before[0].name == "production"


def test_teardown_puts_back_what_a_killed_task_left(stage: Stage) -> None:
    operator.put_back(stage.drill)  # nothing was moved: nothing to do
    operator.found_before(stage.drill)
    stage.drill.route_control.write(HOST, [Backend("left over", stage.restored)], stage.drill.route_control.read(HOST)[1], dry_run=False)
    operator.put_back(stage.drill)
    assert [m["name"] for m in stage.mapped()] == ["production"]


def test_an_error_on_the_way_leaves_nothing_moved(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise FactError("the client broke")

    monkeypatch.setattr(operator.RouteSwitchOperator, "watch", broken)
    with pytest.raises(FactError):
        rehearse(stage)
    assert [m["name"] for m in stage.mapped()] == ["production"]


def test_a_dry_run_changes_nothing_and_proves_nothing(stage: Stage) -> None:
    switch = stage.drill.plan.environment.route_switch.model_copy(update={"dry_run": True})
    stage.drill.plan = a_plan(stage.drill.plan.environment.model_copy(update={"route_switch": switch}), route_switch=True)
    facts = rehearse(stage)
    assert facts.would_change and not facts.hosts and stage.drill.sandbox.opened == []
    assert {judge(facts, stage.drill.plan).verdict for judge in JUDGES} == {Verdict.INCONCLUSIVE}


def test_nobody_is_routed_to_what_has_not_passed(stage: Stage) -> None:
    with pytest.raises(DrillRefusedError, match=r"The route is not switched: .*not run"):
        operator.check_passed(stage.drill)
    assert [m["name"] for m in stage.mapped()] == ["production"]


def test_a_drill_without_the_switch_has_nothing_to_do(stage: Stage) -> None:
    task = operator.RouteSwitchOperator(task_id="rehearse")
    assert task.in_scope(stage.drill)
    stage.drill.plan = a_plan()
    assert not task.in_scope(stage.drill)


# ---- the entrance and its hooks


def test_a_mapping_that_somebody_changed_is_not_written_over(stage: Stage) -> None:
    control = stage.drill.route_control
    version = control.read(HOST)[1]
    control.write(HOST, [Backend("a", stage.restored)], version)
    assert control.read(HOST)[1] == version  # a dry run is the default
    control.write(HOST, [Backend("a", stage.restored)], version, dry_run=False)
    for dry_run in (True, False):
        with pytest.raises(Conflict):
            control.write(HOST, [Backend("b", stage.restored)], version, dry_run=dry_run)
    with pytest.raises(Missing):
        control.read("other.example.com")


def test_the_mapping_is_guarded_by_its_token(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = json.loads(os.environ["AIRFLOW_CONN_CONTROL"]) | {"password": "another"}
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(wrong))
    with pytest.raises(Denied):
        RouteControlHook("wrong").read(HOST)


def test_the_client_gets_any_status_and_an_error_without_an_entrance(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stage.drill.public_client.ask("unknown.example.com", "/").status == 404
    monkeypatch.setenv("AIRFLOW_CONN_NOWHERE", json.dumps({"conn_type": "http", "host": "http://127.0.0.1:9"}))
    with pytest.raises(CallError):
        PublicClientHook("nowhere").ask(HOST, "/")


@pytest.mark.parametrize(("drawn", "address"), [(0.0, "a"), (0.24, "a"), (0.26, "b"), (0.99, "b")])
def test_weights_share_the_requests(drawn: float, address: str) -> None:
    backends = [{"address": "a", "weight": 1}, {"address": "b", "weight": 3}, {"address": "c", "weight": 0}]
    assert entrance.choose(backends, drawn) == address
    assert entrance.choose([], drawn) is None
