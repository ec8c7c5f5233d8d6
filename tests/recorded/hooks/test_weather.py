"""Bad weather before the servers: waited out, honoured or told; never taken for an answer. Real sockets, a scripted server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dalp_dr_airflow.hooks.errors import CallError, Conflict, Denied, NoAnswer, RetryPolicy
from dalp_dr_airflow.hooks.evm import EvmHook
from dalp_dr_airflow.hooks.kubernetes_sandbox import SandboxKubernetesHook
from dalp_dr_airflow.hooks.kubernetes_source import SourceKubernetesHook
from dalp_dr_airflow.triggers.restore import RestoreTrigger
from dalp_dr_lab.weather.rules import Rule
from fake_http import FakeHttp
from weather_here import WeatherHere, as_kubernetes_connection

PODS = "/api/v1/namespaces/dalp/pods"
RESTORE = "/apis/velero.io/v1/namespaces/velero/restores/drill-a"
VOLUMES = "/apis/velero.io/v1/namespaces/velero/podvolumerestores"
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
SOON = RetryPolicy(attempts=4, first_pause_seconds=0.01, longest_pause_seconds=0.02)


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


@pytest.fixture
def proxy(server: FakeHttp, monkeypatch: pytest.MonkeyPatch) -> Iterator[WeatherHere]:
    """An API server with two pages of pods, behind the weather, at connection `stormy`."""
    server.answer("GET", PODS, {"kind": "PodList", "apiVersion": "v1", "items": [pod("a")], "metadata": {"continue": "t"}})
    server.answer("GET", PODS, {"kind": "PodList", "apiVersion": "v1", "items": [pod("b")], "metadata": {}})
    with WeatherHere(server.url) as found:
        monkeypatch.setenv("AIRFLOW_CONN_STORMY", as_kubernetes_connection(found.url))
        yield found


def names(hook: Any = None) -> list[str]:
    return [one["metadata"]["name"] for one in (hook or SourceKubernetesHook("stormy", retries=SOON)).list(PODS)]


def test_the_proxy_lets_through_what_no_rule_takes(proxy: WeatherHere) -> None:
    assert names() == ["a", "b"]
    assert proxy.weather.count(PODS) == 2


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule(path=PODS, calls=(1, 3), status=status), id=f"three times {status}") for status in (500, 502, 503, 504, 429)
    ]
    + [
        pytest.param(Rule(path=PODS, calls=(1, 2), cut_after=20), id="two cut streams"),
        pytest.param(Rule(path=PODS, delay_seconds=0.2), id="slow"),
        pytest.param(Rule(path=PODS, bytes_per_second=500), id="a slow body"),
    ],
)  # fmt: skip
def test_a_burst_is_waited_out_and_nothing_is_lost(proxy: WeatherHere, server: FakeHttp, rule: Rule) -> None:
    if rule.cut_after:  # the scripted server advances although its answer is cut
        first = {"kind": "PodList", "apiVersion": "v1", "items": [pod("a")], "metadata": {"continue": "t"}}
        answers = server.script["GET", PODS]
        for _ in range(2):
            answers.appendleft((200, {}, json.dumps(first).encode()))
    proxy.weather.rules.append(rule)
    assert names() == ["a", "b"]


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        pytest.param(Rule(path=PODS, status=503), 503, id="503 for ever"),
        pytest.param(Rule(path=PODS, status=429), 429, id="429 for ever"),
        pytest.param(Rule(path=PODS, cut_after=20), None, id="every stream is cut"),
        pytest.param(Rule(path=PODS, status=200, body='{"kind": "PodLi'), None, id="half a JSON"),
        pytest.param(Rule(path=PODS, status=200, body=""), None, id="nothing at all"),
        pytest.param(Rule(path=PODS, status=200, body='{"kind": "Status"}'), None, id="not a list"),
        pytest.param(Rule(path=f"{PODS}.*continue=", status=500), 500, id="the second page never comes"),
    ],
)
def test_what_does_not_pass_is_an_error_and_never_zero_items(proxy: WeatherHere, rule: Rule, status: int | None) -> None:
    proxy.weather.rules.append(rule)
    with pytest.raises(CallError) as raised:
        names()
    assert raised.value.status == status
    assert proxy.weather.count(PODS) <= SOON.attempts + 1, "no storm"


def test_retry_after_is_honoured_and_the_calls_are_counted(proxy: WeatherHere) -> None:
    proxy.weather.rules.append(Rule(path=PODS, calls=(1, 2), status=429, headers={"Retry-After": "1"}))
    begun = time.monotonic()
    assert names() == ["a", "b"]
    assert time.monotonic() - begun >= 2.0, "a second each, though our own pauses are hundredths"
    assert proxy.weather.count(PODS) == 4, "two refused, two pages: not one call more"


def test_a_server_that_asks_for_more_patience_than_there_is_is_told_not_hammered(proxy: WeatherHere) -> None:
    proxy.weather.rules.append(Rule(path=PODS, status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(CallError) as raised:
        names()
    assert (raised.value.status, raised.value.retry_after_seconds, proxy.weather.count(PODS)) == (429, 3600.0, 1)


def test_silence_ends_at_a_time_limit(proxy: WeatherHere) -> None:
    proxy.weather.rules.append(Rule(path=PODS, silent=True))
    hook = SourceKubernetesHook("stormy", retries=RetryPolicy(attempts=2, first_pause_seconds=0.01))
    with pytest.raises(NoAnswer):
        hook._api.call("GET", PODS, timeout_seconds=0.3)
    assert proxy.weather.count(PODS) == 2


def test_an_expired_page_begins_the_list_anew(proxy: WeatherHere, server: FakeHttp) -> None:
    first = {"kind": "PodList", "apiVersion": "v1", "items": [pod("a")], "metadata": {"continue": "t2"}}
    server.script["GET", PODS].insert(1, (200, {}, json.dumps(first).encode()))  # asked again from the start
    proxy.weather.rules.append(Rule(path=f"{PODS}.*continue=", calls=(1, 1), status=410))
    assert names() == ["a", "b"]
    assert proxy.weather.count(PODS) == 4


def test_credentials_are_read_again_once_and_then_the_verb_is_named(
    proxy: WeatherHere, server: FakeHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = SourceKubernetesHook("stormy", retries=SOON)
    assert names(hook) == ["a", "b"]
    monkeypatch.setenv("AIRFLOW_CONN_STORMY", as_kubernetes_connection(proxy.url, {"token": "renewed"}))
    proxy.weather.rules.append(Rule(path=PODS, calls=(1, 1), status=401))
    assert names(hook)[-1] == "b"
    assert server.asked[-1].headers["authorization"] == "Bearer renewed"
    before = proxy.weather.count(PODS)
    proxy.weather.rules.append(Rule(path=PODS, status=401))
    with pytest.raises(Denied, match="may not list pods in dalp"):
        names(hook)
    assert proxy.weather.count(PODS) - before == 2, "one more try, no more"


def test_a_right_that_was_taken_away_is_named_and_not_asked_for_again(proxy: WeatherHere) -> None:
    proxy.weather.rules.append(Rule(path=PODS, status=403, body='{"message": "pods is forbidden"}'))
    with pytest.raises(Denied, match=r"may not list pods in dalp.*pods is forbidden"):
        names()
    assert proxy.weather.count(PODS) == 1


def test_a_write_that_somebody_else_was_quicker_with_reads_what_is_there(proxy: WeatherHere, server: FakeHttp) -> None:
    place = "/api/v1/namespaces/dalp-drill-1-app/configmaps"
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "dalp-drill-1-app"}}
    server.answer("GET", f"{place}/a", made | {"data": {"whose": "theirs"}})
    proxy.weather.rules.append(Rule("POST", place, status=409, body='{"message": "already exists"}'))
    found, created = SandboxKubernetesHook("stormy", retries=SOON).create(made)
    assert (found["data"], created) == ({"whose": "theirs"}, False)
    assert proxy.weather.count(place, "POST") == 1


def test_a_change_that_was_overtaken_is_a_conflict(proxy: WeatherHere) -> None:
    proxy.weather.rules.append(Rule("PUT", status=409, body='{"message": "the object has been modified"}'))
    place = {"name": "a", "namespace": "dalp-drill-1-app"}
    with pytest.raises(Conflict, match="modified"):
        SandboxKubernetesHook("stormy", retries=SOON).replace({"apiVersion": "v1", "kind": "ConfigMap", "metadata": place})


# ---- waits


def wait(server: FakeHttp) -> dict[str, Any]:
    done = {"metadata": {"name": "v"}, "status": {"phase": "Completed"}}
    server.answer("GET", RESTORE, {"metadata": {"name": "drill-a"}, "status": {"phase": "Completed"}})
    server.answer("GET", VOLUMES, {"items": [done], "metadata": {}})
    trigger = RestoreTrigger(conn_id="stormy", namespace="velero", name="drill-a", poll_seconds=0.01, deadline=LATER, stall_seconds=2)

    async def collect() -> dict[str, Any]:
        return [event.payload async for event in trigger.run()].pop()

    return asyncio.run(collect())


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule(path=RESTORE, calls=(1, 3), status=503), id="503"),
        pytest.param(Rule(path=RESTORE, calls=(1, 2), status=429, headers={"Retry-After": "1"}), id="429"),
        pytest.param(Rule(path=VOLUMES, calls=(1, 2), cut_after=5), id="cut streams"),
        pytest.param(Rule(path=VOLUMES, calls=(1, 2), status=200, body='{"items": [{'), id="half a JSON"),
        pytest.param(Rule(path=VOLUMES, calls=(1, 2), status=410), id="410 in the middle of a list"),
        pytest.param(Rule(path=RESTORE, calls=(1, 1), status=401), id="401 once"),
    ],
)
def test_a_wait_goes_on_through_bad_weather(proxy: WeatherHere, server: FakeHttp, rule: Rule) -> None:
    proxy.weather.rules.append(rule)
    event = wait(server)
    assert (event["status"], event["summary"]) == ("done", {"phase": "Completed", "volumes": 1})


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        pytest.param(Rule(path=RESTORE, status=401), "error", id="401 for good"),
        pytest.param(Rule(path=VOLUMES, status=403), "error", id="a right taken away"),
        pytest.param(Rule(path=VOLUMES, cut_after=5), "timeout", id="every stream is cut"),
        pytest.param(Rule(path=VOLUMES, status=410), "error", id="410 for good"),
        pytest.param(Rule(path=VOLUMES, status=200, body="{}"), "error", id="a list without items"),
    ],
)
def test_a_wait_never_ends_well_on_what_it_could_not_read(proxy: WeatherHere, server: FakeHttp, rule: Rule, status: str) -> None:
    """Above all: volumes that could not be listed are not zero volumes."""
    proxy.weather.rules.append(rule)
    event = wait(server)
    assert event["status"] == status, event
    assert event["summary"] == {}


def test_a_wait_leaves_a_server_alone_that_asks_for_it(proxy: WeatherHere, server: FakeHttp) -> None:
    proxy.weather.rules.append(Rule(path=RESTORE, calls=(1, 1), status=429, headers={"Retry-After": "1"}))
    begun = time.monotonic()
    assert wait(server)["status"] == "done"
    assert time.monotonic() - begun >= 1.0, "though it looks every hundredth of a second"
    assert proxy.weather.count(RESTORE) == 2


# ---- the chain


BLOCK = {"jsonrpc": "2.0", "id": 0, "result": "0x10"}


def ask(proxy: WeatherHere, monkeypatch: pytest.MonkeyPatch, server: FakeHttp) -> Any:
    server.answer("POST", "/", [BLOCK])
    monkeypatch.setenv("AIRFLOW_CONN_CHAIN", json.dumps({"conn_type": "http", "host": proxy.url}))
    return EvmHook("chain", retries=SOON).batch([("eth_blockNumber", [])])


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule("POST", calls=(1, 2), status=503), id="503"),
        pytest.param(Rule("POST", calls=(1, 2), status=429), id="429"),
        pytest.param(Rule("POST", calls=(1, 2), cut_after=10), id="cut streams"),
    ],
)
def test_a_busy_node_is_asked_again(proxy: WeatherHere, server: FakeHttp, monkeypatch: pytest.MonkeyPatch, rule: Rule) -> None:
    proxy.weather.rules.append(rule)
    assert ask(proxy, monkeypatch, server) == [{"result": "0x10"}]
    assert proxy.weather.count("/", "POST") == 3


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule("POST", status=503), id="503 for ever"),
        pytest.param(Rule("POST", cut_after=10), id="every stream is cut"),
        pytest.param(Rule("POST", status=200, body="[]"), id="an empty batch"),
        pytest.param(Rule("POST", status=200, body=""), id="nothing"),
        pytest.param(Rule("POST", status=200, body='{"error": {"code": -32000, "message": "pruned"}}'), id="200 with an error"),
    ],
)
def test_a_missing_answer_of_the_chain_is_an_error(
    proxy: WeatherHere, server: FakeHttp, monkeypatch: pytest.MonkeyPatch, rule: Rule
) -> None:
    proxy.weather.rules.append(rule)
    [envelope] = ask(proxy, monkeypatch, server)
    assert "error" in envelope and "result" not in envelope
