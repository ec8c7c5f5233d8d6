"""The probe's targets, its pod, its program against real sockets, and the reading of its log."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from dalp_dr.errors import FactError
from dalp_dr.isolation import probe, probe_program, readonly_gateway
from sandbox_sample import PLAN, a_plan, a_pod, an_environment

SERVICE = {
    "metadata": {"namespace": "dalp", "name": "dalp-dapi"},
    "spec": {"clusterIP": "10.96.0.7", "ports": [{"port": 3000, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]},
}
HEADLESS = {
    "metadata": {"namespace": "dalp", "name": "dalp-headless"},
    "spec": {"clusterIP": "None", "ports": [{"port": 1}]},
}
DATABASE = a_pod("dalp", "dalp-pg-1", address="10.244.0.5", labels={"cnpg.io/cluster": "dalp-pg"})


def test_targets_are_canaries_closed_routes_and_production_itself() -> None:
    found = {(t.address, t.port) for t in probe.targets(PLAN, [SERVICE, HEADLESS], [DATABASE, a_pod("dalp", "dalp-dapi-1")])}
    canaries = {(c.address, c.port) for c in PLAN.environment.sandbox.canaries}
    assert found == canaries | {
        ("10.0.0.1", 6443),
        ("10.9.0.1", 8333),
        ("10.9.0.2", 8333),
        ("10.9.0.3", 8545),
        ("10.96.0.7", 3000),
        ("10.244.0.5", 5432),
    }


def test_addresses_of_another_cluster_are_no_targets_of_a_separate_one() -> None:
    found = probe.targets(a_plan(an_environment(cluster="separate")), [SERVICE], [DATABASE])
    assert not {"10.96.0.7", "10.244.0.5"} & {t.address for t in found}


def test_the_pod_carries_all_targets_and_ends_by_itself() -> None:
    aims = probe.targets(PLAN, [SERVICE])
    pod = probe.pod(PLAN, "support", aims)
    settings = json.loads(pod["spec"]["containers"][0]["env"][0]["value"])
    assert len(settings["targets"]) == len(aims)
    assert settings["control"] == {"address": f"dalp-dr-gateway.{PLAN.namespace('app')}.svc", "port": 8545}
    assert (pod["spec"]["restartPolicy"], pod["spec"]["activeDeadlineSeconds"]) == ("Never", 60)
    assert pod["metadata"]["namespace"] == PLAN.namespace("support")


def test_program_and_gateway_agree_on_the_words_of_a_refusal() -> None:
    assert probe_program.REFUSAL == readonly_gateway.REFUSAL


def listener() -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0))
    return server


def test_the_program_tells_connected_from_reset_and_unresolved() -> None:
    with listener() as server, listener() as closed:
        open_port, closed_port = server.getsockname()[1], closed.getsockname()[1]
        closed.close()
        cases = {
            "open": ("127.0.0.1", open_port),
            "closed": ("127.0.0.1", closed_port),
            "nameless": ("no.such.host.invalid", 1),
        }
        found = {name: probe_program.connect({"name": name, "address": a, "port": p}, 1)["outcome"] for name, (a, p) in cases.items()}
    assert found == {"open": "connected", "closed": "reset", "nameless": "unresolved"}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimeoutError(), "timeout"),
        (OSError(113, "no route"), "unreachable"),
        (OSError(101, "net"), "unreachable"),
        (OSError(1, "not permitted"), "unreachable"),
        (OSError(104, "reset"), "reset"),
        (OSError(24, "too many files"), "error"),
    ],
)
def test_the_program_names_other_ends(error: OSError, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **more: object) -> socket.socket:
        raise error

    monkeypatch.setattr(probe_program.socket, "create_connection", fail)
    assert probe_program.connect({"name": "n", "address": "10.0.0.9", "port": 1}, 1)["outcome"] == outcome


@pytest.mark.parametrize(("forward", "sent", "read"), [(False, "refused", "answered"), (True, "passed_on", "answered")])
def test_a_send_through_the_gateway_is_refused_and_one_past_it_is_seen(
    forward: bool, sent: str, read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def node(body: bytes) -> bytes:
        call = json.loads(body)
        if call["method"] == "eth_chainId":
            return b'{"jsonrpc": "2.0", "id": 1, "result": "0x7a69"}'
        return b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "rlp: too short"}}'

    server = readonly_gateway.server(0, node, list[dict[str, str]]().append)
    if forward:
        monkeypatch.setattr(readonly_gateway, "answer", lambda body, post, refused: post(body))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        assert (probe_program.chain_send(url, 5)["outcome"], probe_program.chain_read(url, 5)["outcome"]) == (
            sent,
            read,
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_no_gateway_is_an_error_and_no_refusal() -> None:
    with listener() as server:
        port = server.getsockname()[1]
    assert probe_program.chain_send(f"http://127.0.0.1:{port}", 1)["outcome"] == "error"


def run_log() -> str:
    with listener() as server:
        port = server.getsockname()[1]
        lines = probe_program.run(
            {
                "targets": [{"name": "a", "address": "no.such.host.invalid", "port": 1}],
                "control": {"address": "127.0.0.1", "port": port},
                "rpc_url": "http://no.such.host.invalid:1",
                "timeout_seconds": 1,
            }
        )
    return "\n".join(json.dumps(line) for line in lines)


def test_a_log_is_read_back() -> None:
    run = probe.parse("app", "before", run_log())
    assert [a.name for a in run.attempts] == ["a"]
    assert run.control is not None and run.control.outcome == "connected"
    assert (run.complete, run.chain_send, run.role, run.when) == (True, "error", "app", "before")


def test_a_log_that_breaks_off_is_incomplete() -> None:
    assert not probe.parse("app", "before", "\n".join(run_log().splitlines()[:-1])).complete


@pytest.mark.parametrize("log", ["Traceback (most recent call last):", "[1, 2]", "{}"])
def test_an_alien_log_is_an_error(log: str) -> None:
    with pytest.raises(FactError, match="which is not a result"):
        probe.parse("app", "before", log)
