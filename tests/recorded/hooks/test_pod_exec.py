"""The exec channel, frame by frame; and SQL through psql's output."""

from __future__ import annotations

import json
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks import cnpg, pod_exec
from dalp_dr_airflow.hooks.errors import CallError, Missing, NoAnswer, RetryPolicy, call_error
from dalp_dr_airflow.hooks.pod_exec import CommandError

CLOSE = 0x8
DONE = json.dumps({"status": "Success"}).encode()
FAILED = json.dumps({"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}).encode()


class FakeSocket:
    """Plays frames `(channel, data)`, then a close frame; keeps what was sent."""

    def __init__(self, *frames: tuple[int, bytes], protocol: str = "v5.channel.k8s.io") -> None:
        self.frames, self.sent, self.closed, self.protocol = deque(frames), [], False, protocol  # type: ignore[var-annotated]

    def recv_data_frame(self, control: bool) -> tuple[int, Any]:
        if not self.frames:
            return CLOSE, SimpleNamespace(data=b"")
        channel, data = self.frames.popleft()
        return 2, SimpleNamespace(data=bytes([channel]) + data)

    def send_binary(self, data: bytes) -> None:
        self.sent.append(data)

    def getheaders(self) -> dict[str, str]:
        return {"Sec-WebSocket-Protocol": self.protocol}

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def close(self) -> None:
        self.closed = True


def run(monkeypatch: pytest.MonkeyPatch, socket: FakeSocket, stdin: str | None = None, seconds: float = 5) -> str:
    monkeypatch.setattr(pod_exec, "_open", lambda *_: socket)
    api: Any = SimpleNamespace(retries=RetryPolicy(sleep=lambda _: None))
    try:
        return pod_exec.run_in_container(api, "n", "p", "c", ["psql", "-c", "x"], stdin, seconds)
    finally:
        assert socket.closed


def test_output_is_joined_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = "€".encode()[:1], "€".encode()[1:]
    assert run(monkeypatch, FakeSocket((1, b"a" + first), (2, b"notice"), (1, second), (3, DONE))) == "a€"


def test_stdin_is_sent_in_pieces_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    socket = FakeSocket((3, DONE))
    run(monkeypatch, socket, "x" * 40_000)
    assert b"".join(s[1:] for s in socket.sent[:-1]) == b"x" * 40_000
    assert {s[0] for s in socket.sent[:-1]} == {0}
    assert socket.sent[-1] == bytes([255, 0])


def test_an_older_server_is_not_sent_what_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    socket = FakeSocket((3, DONE), protocol="v4.channel.k8s.io")
    run(monkeypatch, socket, "x")
    assert socket.sent == [b"\x00x"]


def test_another_exit_code_carries_stderr_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="exit code 3: bad password=\\*\\*\\*") as raised:
        run(monkeypatch, FakeSocket((2, b"bad password=hunter22"), (3, FAILED)))
    assert raised.value.exit_code == 3


def test_a_cut_channel_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoAnswer, match="cut"):
        run(monkeypatch, FakeSocket((1, b"half of the ou")))


def test_a_program_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    status = json.dumps({"status": "Failure", "message": "executable file not found"}).encode()
    with pytest.raises(CallError, match="executable file not found"):
        run(monkeypatch, FakeSocket((3, status)))


def test_a_command_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoAnswer, match="did not end"):
        run(monkeypatch, FakeSocket((1, b"x")), seconds=1e-9)


def test_all_texts_share_one_read_only_snapshot() -> None:
    text = cnpg.script({"a": "select 1; -- done", "b": "set local x = 1;\nselect 2"}, "M", 30)
    assert text.startswith("begin transaction isolation level repeatable read, read only;")
    assert [line for line in text.splitlines() if line.startswith("\\echo")] == [
        "\\echo M a",
        "\\echo M b",
        "\\echo M b",
        "\\echo M end of the script",
    ]
    assert text.count("begin ") == 1
    assert text.rstrip().endswith("\\q")
    assert "rollback;" in text


def test_a_text_that_creates_what_it_needs_may_write_but_leaves_nothing() -> None:
    body = "create function pg_temp.f() returns int language sql as $$ select 1; $$;\nselect pg_temp.f()"
    text = cnpg.script({"a": body}, "M", 30)
    assert "repeatable read, read write;" in text
    assert text.count("\\echo M a") == 2
    assert "commit" not in text


def test_the_last_statement_of_a_text_counts() -> None:
    output = 'M a\nx\n1\nM a\ny,z\n2,\n"li\nne",4\nM b\nn\nM end of the script\n'
    assert cnpg.answers(output, ["a", "b"], "M") == {"a": [{"y": "2", "z": ""}, {"y": "li\nne", "z": "4"}], "b": []}


def test_a_json_object_is_a_row() -> None:
    value = '"{""kind"" : ""heap"", ""finding"" : null, ""n"" : 12345678901234567890.10}"'
    output = f"M a\njson_build_object\n{value}\nM end of the script\n"
    assert cnpg.answers(output, ["a"], "M") == {"a": [{"kind": "heap", "finding": "", "n": "12345678901234567890.10"}]}


@pytest.mark.parametrize(
    "output",
    [
        "",
        "M a\nx\n1\n",
        "M a\nx\n1\nM end of the script\n",
        "M b\nx\n1\nM a\nx\n1\nM end of the script\n",
        "M a\n\nM b\nx\n1\nM end of the script\n",
    ],
)
def test_missing_answers_are_never_empty_ones(output: str) -> None:
    with pytest.raises(CallError):
        cnpg.answers(output, ["a", "b"], "M")


class FakeSandbox:
    """Pods, a cluster and logs."""

    def __init__(
        self,
        pods: list[dict[str, Any]],
        logs: dict[tuple[str, str], str | CallError],
        primary: str | None = "dalp-pg-1",
    ) -> None:
        self.pods, self.log_texts, self.primary, self.ran = pods, logs, primary, []  # type: ignore[var-annotated]

    def list(self, path: str, selector: str) -> Any:
        assert (path, selector) == ("/api/v1/namespaces/n/pods", "cnpg.io/cluster=dalp-pg")
        return self.pods

    def get(self, path: str) -> dict[str, Any]:
        return {"status": {"currentPrimary": self.primary} if self.primary else {}}

    def logs(self, namespace: str, pod: str, container: str, tail: int) -> str:
        found = self.log_texts[pod, container]
        if isinstance(found, CallError):
            raise found
        return found

    def exec(self, *command: Any) -> str:
        self.ran.append(command)
        return "Latest checkpoint's TimeLineID:       2\nnonsense\n"


def pod(name: str, phase: str, at: str, role: str = "full-recovery") -> dict[str, Any]:
    labels = {"cnpg.io/jobRole": role} if role else {}
    return {"metadata": {"name": name, "creationTimestamp": at, "labels": labels}, "status": {"phase": phase}}


def test_failed_recovery_pods_oldest_first_with_both_logs() -> None:
    pods = [
        pod("b", "Failed", "2026-11-23T11:16:00Z"),
        pod("a", "Failed", "2026-11-23T11:15:00Z"),
        pod("c", "Running", "2026-11-23T11:17:00Z"),
        pod("dalp-pg-1", "Failed", "2026-11-23T11:10:00Z", role=""),
    ]
    logs = {
        ("a", "full-recovery"): "FATAL",
        ("a", "plugin-barman-cloud"): "token=hunter22",
        ("b", "full-recovery"): "x",
        ("b", "plugin-barman-cloud"): call_error("get", "log", 400, "container is waiting to start"),
    }
    found = cnpg.CnpgHook(FakeSandbox(pods, logs)).failed_recovery_pods("n", "dalp-pg")  # type: ignore[arg-type]
    assert [f["name"] for f in found] == ["a", "b"]
    assert found[0]["logs"] == {"full-recovery": "FATAL", "plugin-barman-cloud": "token=***"}
    assert "waiting to start" in found[1]["logs"]["plugin-barman-cloud"]


def test_a_log_that_may_not_be_read_is_an_error() -> None:
    pods = [pod("a", "Failed", "2026-11-23T11:15:00Z")]
    logs: dict[tuple[str, str], str | CallError] = {("a", c): call_error("get", "log", 403, "no") for c in cnpg.RECOVERY_CONTAINERS}
    with pytest.raises(CallError):
        cnpg.CnpgHook(FakeSandbox(pods, logs)).failed_recovery_pods("n", "dalp-pg")  # type: ignore[arg-type]


def test_programs_run_in_the_primary() -> None:
    fake = FakeSandbox([], {})
    assert cnpg.CnpgHook(fake).pg_controldata("n", "dalp-pg") == {"Latest checkpoint's TimeLineID": "2"}  # type: ignore[arg-type]
    assert fake.ran[0][:3] == ("n", "dalp-pg-1", "postgres")
    with pytest.raises(Missing):
        cnpg.CnpgHook(FakeSandbox([], {}, primary=None)).pg_controldata("n", "dalp-pg")  # type: ignore[arg-type]


def test_variables_are_psqls_own_and_hold_names_and_numbers_alone() -> None:
    text = cnpg.script({"a": "select :'heaps'"}, "M", 30, {"heaps": "16384::,16390:0:99"})
    assert text.startswith("\\set heaps '16384::,16390:0:99'\nbegin transaction")
    with pytest.raises(InputError, match="heaps holds more than names and numbers"):
        cnpg.script({"a": "select :'heaps'"}, "M", 30, {"heaps": "1'; drop table x; --"})
