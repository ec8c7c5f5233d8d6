"""Programs that the lab starts: a pid and its start time together name one process for good."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dalp_dr_lab import state

POLL_SECONDS = 0.05


def birth(pid: int) -> int | None:
    """The process's start time in clock ticks since boot; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def boot() -> str:
    """The kernel's id of this boot: start times of another boot mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def alive(folder: Path) -> dict[str, int]:
    """The recorded programs that still run: {name: pid}."""
    return {name: p["pid"] for name, p in state.read(folder)["processes"].items() if same(p)}


def same(record: Mapping[str, object]) -> bool:
    """Whether the recorded process is the one that has its pid now."""
    return record["boot"] == boot() and birth(int(str(record["pid"]))) == record["birth"]


def spawn(folder: Path, name: str, words: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
    """Start a program in a session of its own, logged and recorded under `name`; returns its pid.

    `env` is added to this process's environment. The record is written before this returns, so that `down` finds it.
    """
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with state.change(folder) as now, (folder / "logs" / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cwd or folder,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        now["processes"][name] = {"pid": process.pid, "birth": birth(process.pid), "boot": boot()}
    return process.pid


def stop(folder: Path, names: Iterable[str], *, how: signal.Signals = signal.SIGTERM, grace_seconds: float = 10) -> None:
    """End recorded programs and all their descendants: `how` first, SIGKILL after the grace, then forget them."""
    records = state.read(folder)["processes"]
    mine = [name for name in names if name in records]
    pids = {records[name]["pid"] for name in mine if same(records[name])}
    family = descendants(pids)
    births = {pid: birth(pid) for pid in family}
    kill(pids, how, grace_seconds)
    kill({pid for pid, born in births.items() if born and birth(pid) == born}, signal.SIGKILL, grace_seconds)
    kill({pid for pid in pids if pid in alive(folder).values()}, signal.SIGKILL, grace_seconds)
    with state.change(folder) as now:
        for name in mine:
            now["processes"].pop(name, None)


def kill(pids: Iterable[int], how: signal.Signals, seconds: float) -> set[int]:
    """Signal processes and wait until they are gone; returns those still there when the time is up."""
    births = {pid: birth(pid) for pid in pids}
    for pid in births:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            continue
    end = time.monotonic() + seconds
    while left := {pid for pid, born in births.items() if born and birth(pid) == born}:
        if time.monotonic() > end:
            break
        for pid in left:  # our own children must be reaped to be gone
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
        time.sleep(POLL_SECONDS)
    return left


def descendants(pids: Iterable[int]) -> set[int]:
    """All processes below `pids`, without `pids`."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    top = set(pids)
    found = set(top)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - top


def proportional_bytes(pids: Iterable[int]) -> int:
    """Memory of processes as proportional set size, in bytes; a process that is gone counts nothing."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total
