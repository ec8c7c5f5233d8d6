"""The source side as a person with administrator rights reaches it: SQL, pods, services, waiting."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab

T = TypeVar("T")
DATABASE_POD = "dalp-pg-1"
POLL_SECONDS = 0.5


def sql(lab: Lab, statement: str, database: str = "dalp") -> str:
    """Run SQL as the server's own superuser; rows come back unaligned, columns separated by `|`."""
    psql = ("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database)
    words = ("-n", "dalp", "exec", "-i", DATABASE_POD, "-c", "postgres", "--")
    return lab.kubectl(*words, *psql, input=statement).strip()


def objects(lab: Lab, namespace: str, kind: str, *words: str) -> list[dict[str, Any]]:
    """The objects of a kind in a namespace."""
    found: list[dict[str, Any]] = json.loads(lab.kubectl("-n", namespace, "get", kind, *words, "-o", "json"))["items"]
    return found


def wait(what: str, ready: Callable[[], T | None], seconds: float) -> T:
    """The first true answer of `ready`; LabError with the newest reason when there is none in time."""
    end, reason = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            if answer := ready():
                return answer
        except (LabError, OSError, KeyError, ValueError) as error:
            reason = f" ({error})"
        time.sleep(POLL_SECONDS)
    raise LabError(f"{what}: not there after {seconds:.0f} s{reason}. Look with `python -m dalp_dr_lab status`.")


@contextmanager
def forward(lab: Lab, namespace: str, target: str, port: int) -> Iterator[str]:
    """The URL of a port of a Service or pod, through the Kubernetes API, while the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        local = probe.getsockname()[1]
    command = [str(lab.cluster_home / "bin/kube"), "kubectl", f"--kubeconfig={lab.kubeconfig}", "-n", namespace]
    process = subprocess.Popen(
        [*command, "port-forward", "--address=127.0.0.1", target, f"{local}:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait(f"port-forward to {target}", lambda: _open(process, local), 20)
        yield f"http://127.0.0.1:{local}"
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _open(process: subprocess.Popen[str], port: int) -> bool:
    if process.poll() is not None:
        raise LabError(f"port-forward ended: {process.stderr.read().strip() if process.stderr else ''}")
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
