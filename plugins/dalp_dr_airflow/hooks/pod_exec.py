"""Runs a command in a container through the API server's exec channel."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from dalp_dr.errors import FactError
from dalp_dr_airflow.hooks.errors import CallError, NoAnswer, redact, translate
from dalp_dr_airflow.hooks.kubernetes_api import KubernetesApi

_STDIN, _STDOUT, _STDERR, _ERROR, _CLOSE = 0, 1, 2, 3, 255
_CLOSE_FRAME = 0x8
_STDIN_CHUNK_BYTES = 16 * 1024
STDERR_SHOWN = 1500


class CommandError(FactError):
    """The command ran and ended with another exit code than 0. `stderr` is redacted."""

    def __init__(self, message: str, exit_code: int | None, stderr: str) -> None:
        super().__init__(message, "Read the command's own message; the pod's log may say more.")
        self.exit_code, self.stderr = exit_code, stderr


def run_in_container(
    api: KubernetesApi,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
    stdin: str | None,
    timeout_seconds: float,
) -> str:
    """Standard output of the command. CommandError on another exit code than 0, NoAnswer when it did not end in time.

    Only opening the channel is repeated; a command that has begun never runs twice.
    """
    where = f"{namespace}/{pod} [{container}]"
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    query = [
        ("container", container),
        ("stdout", "true"),
        ("stderr", "true"),
        ("tty", "false"),
        ("stdin", "true" if stdin is not None else "false"),
        *(("command", word) for word in command),
    ]
    socket = api.retries.call(lambda: _open(api, path, query, where))
    try:
        received = _exchange(socket, stdin, timeout_seconds, f"{command[0]} in {where}")
    finally:
        socket.close()
    code = _exit_code(bytes(received[_ERROR]), where)
    if code != 0:
        said = redact(received[_STDERR].decode(errors="replace").strip())[-STDERR_SHOWN:]
        raise CommandError(f"{command[0]} in {where} ended with exit code {code}: {said or 'it wrote nothing to stderr'}", code, said)
    return received[_STDOUT].decode(errors="replace")


def _open(api: KubernetesApi, path: str, query: Sequence[tuple[str, str]], where: str) -> Any:
    from kubernetes.stream.ws_client import create_websocket, get_websocket_url

    headers: dict[str, str] = {}
    api.client.update_params_for_auth(headers, [], ["BearerToken"])
    configuration = api.client.configuration
    with translate("exec into", where):
        return create_websocket(configuration, get_websocket_url(configuration.host + path, list(query)), headers)


def _exchange(socket: Any, stdin: str | None, timeout_seconds: float, what: str) -> dict[int, bytearray]:
    deadline = time.monotonic() + timeout_seconds
    received: dict[int, bytearray] = {_STDOUT: bytearray(), _STDERR: bytearray(), _ERROR: bytearray()}
    with translate("talk to", what):
        socket.settimeout(timeout_seconds)
        if stdin is not None:
            _feed(socket, stdin.encode())
        while (left := deadline - time.monotonic()) > 0:
            socket.settimeout(left)
            opcode, frame = socket.recv_data_frame(True)
            if opcode == _CLOSE_FRAME:
                return received
            if frame.data and frame.data[0] in received:
                received[frame.data[0]] += frame.data[1:]
    raise NoAnswer(f"{what} did not end within {timeout_seconds:.0f} s.", "Look at the pod.", transient=True)


def _feed(socket: Any, data: bytes) -> None:
    for start in range(0, len(data), _STDIN_CHUNK_BYTES):
        socket.send_binary(bytes([_STDIN]) + data[start : start + _STDIN_CHUNK_BYTES])
    spoken = {name.lower(): value for name, value in (socket.getheaders() or {}).items()}.get("sec-websocket-protocol", "")
    if spoken.startswith("v5"):  # older servers cannot close one channel: commands must end on their own, as psql does on \\q
        socket.send_binary(bytes([_CLOSE, _STDIN]))


def _exit_code(status: bytes, where: str) -> int | None:
    """Exit code of a Status object of the error channel; CallError when it tells of something else."""
    if not status:
        raise NoAnswer(
            f"The exec channel to {where} was cut before the command ended.",
            "Look at the pod and its node.",
            transient=True,
        )
    found = json.loads(status)
    if found.get("status") == "Success":
        return 0
    for cause in found.get("details", {}).get("causes", []):
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise CallError(f"Could not exec into {where}: {redact(str(found.get('message', found)))}", "Look at the pod.")
