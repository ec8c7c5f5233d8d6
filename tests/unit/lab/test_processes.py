"""Programs are known by pid and start time; only what we started is ever ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dalp_dr_lab import processes, state

SLEEP = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()",
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    processes.stop(tmp_path, list(state.read(tmp_path)["processes"]), how=signal.SIGKILL)


def test_a_started_program_is_recorded_and_alive(folder: Path) -> None:
    pid = processes.spawn(folder, "one", SLEEP)
    assert processes.alive(folder) == {"one": pid}
    assert state.read(folder)["processes"]["one"]["birth"] == processes.birth(pid)


def test_stop_ends_and_forgets(folder: Path) -> None:
    pid = processes.spawn(folder, "one", SLEEP)
    processes.stop(folder, ["one"])
    assert processes.birth(pid) is None
    assert state.read(folder)["processes"] == {}


def test_stop_kills_what_does_not_listen(folder: Path) -> None:
    pid = processes.spawn(folder, "one", STUBBORN)
    _wait_for(folder / "logs/one.log", "ready")
    processes.stop(folder, ["one"], grace_seconds=0.2)
    assert processes.birth(pid) is None


def test_stop_takes_children_along(folder: Path) -> None:
    code = f"import subprocess; c = subprocess.Popen({SLEEP!r}); print(c.pid, flush=True); c.wait()"
    processes.spawn(folder, "parent", [sys.executable, "-c", code])
    child = int(_wait_for(folder / "logs/parent.log", "\n"))
    processes.stop(folder, ["parent"])
    assert processes.birth(child) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("birth", 1), ("boot", "another-boot")],
    ids=["another process got the pid", "the machine was started again"],
)
def test_a_pid_that_means_another_process_now_is_left_alone(folder: Path, field: str, value: object) -> None:
    other = subprocess.Popen(SLEEP)
    try:
        record = {"pid": other.pid, "birth": processes.birth(other.pid), "boot": processes.boot(), field: value}
        with state.change(folder) as now:
            now["processes"]["one"] = record
        assert processes.alive(folder) == {}
        processes.stop(folder, ["one"], how=signal.SIGKILL)
        assert other.poll() is None
        assert state.read(folder)["processes"] == {}
    finally:
        other.kill()
        other.wait()


def test_stopping_what_was_never_started_is_no_error(folder: Path) -> None:
    processes.stop(folder, ["nothing"])


def test_a_dead_program_has_no_birth(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert processes.birth(process.pid) is None


def test_own_memory_is_counted() -> None:
    assert processes.proportional_bytes([os.getpid()]) > 2**20


def _wait_for(path: Path, text: str) -> str:
    """Wait until `path` holds `text`, by the file system's own word."""
    with subprocess.Popen(["tail", "-f", "-n", "+1", path], stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        line = tail.stdout.readline()
        tail.kill()
    assert text in line
    return line
