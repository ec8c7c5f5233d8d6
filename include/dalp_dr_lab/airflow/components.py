"""Airflow's four components in the lab as processes: started, watched until they answer, restarted, ended."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dalp_dr_lab import processes, state
from dalp_dr_lab.airflow import configuration
from dalp_dr_lab.airflow.places import Places
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab

DATABASE = "airflow-database"
API_SERVER = "airflow-api-server"
# Each component with its name in the API server's health report.
COMPONENTS = {
    API_SERVER: "metadatabase",
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag_processor",
    "airflow-triggerer": "triggerer",
}
HEALTH_SECONDS = 180
POLL_SECONDS = 0.5
STOP_SECONDS = 15


def command(name: str) -> list[str]:
    """The command of one component or of `airflow-db`, by this interpreter."""
    return [sys.executable, "-m", "airflow", name.removeprefix("airflow-")]


def start(lab: Lab, name: str, words: Sequence[str], env: Mapping[str, str]) -> None:
    """Start one program without another Airflow's settings in its environment."""
    foreign = [name for name in configuration.without(os.environ) if name not in env]
    unset = [word for name in foreign for word in ("-u", name)]
    lab.spawn(name, ["env", *unset, *words], env=env)


def stop(lab: Lab, names: Iterable[str]) -> None:
    """End recorded components with everything they started, also where a component itself was killed before."""
    names = list(names)
    records = state.read(lab.folder)["processes"]
    ours = [records[name] for name in names if name in records and records[name]["boot"] == processes.boot()]
    family = _session_members({int(one["pid"]): int(one["birth"]) for one in ours}, lab.folder)
    processes.stop(lab.folder, names, grace_seconds=STOP_SECONDS)
    processes.kill({pid for pid, born in family.items() if processes.birth(pid) == born}, signal.SIGKILL, 5)


def members(lab: Lab, names: Iterable[str]) -> set[int]:
    """Process ids of running components and of everything below them."""
    alive = processes.alive(lab.folder)
    top = {alive[name] for name in names if name in alive}
    return top | processes.descendants(top)


def wait(lab: Lab, name: str, answers: Callable[[], bool], what: str, seconds: float = HEALTH_SECONDS) -> None:
    """Wait until `answers` is true; LabError when the program ends or the time is up."""
    end = time.monotonic() + seconds
    while not answers():
        if name not in processes.alive(lab.folder):
            raise LabError(f"{what} ended while starting: {last_words(lab, name)}")
        if time.monotonic() > end:
            raise LabError(f"{what} did not answer within {seconds:.0f} s: {last_words(lab, name)}")
        time.sleep(POLL_SECONDS)


def wait_healthy(lab: Lab, url: str, since: datetime | None) -> None:
    """Wait until every component reports healthy, by a heartbeat younger than `since` where that is given."""
    for name, part in COMPONENTS.items():

        def answers(part: str = part) -> bool:
            return healthy(report(url), part, since)

        wait(lab, name, answers, f"Airflow's {name.removeprefix('airflow-')}")


def report(url: str) -> dict[str, Any]:
    """The API server's health report; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/api/v2/monitor/health", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return {}


def healthy(found: Mapping[str, Any], part: str, since: datetime | None = None) -> bool:
    """Whether a health report calls one part healthy, by a heartbeat not older than `since` where it has one."""
    entry = found.get(part) or {}
    beat = entry.get(f"latest_{part}_heartbeat")
    fresh = since is None or part == "metadatabase" or (beat is not None and _moment(beat) >= since)
    return entry.get("status") == "healthy" and fresh


def last_words(lab: Lab, name: str) -> str:
    """The end of a component's log and where the rest is."""
    log = Places(lab.checkout, lab.home).log(name)
    lines = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
    return f"{' | '.join(lines)[-600:] or 'it said nothing'} (log: {log})"


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _session_members(leaders: Mapping[int, int], folder: Path) -> dict[int, int]:
    """Living processes of the sessions that `{pid: birth}` began, as `{pid: birth}`; a killed leader's children too.

    The kernel gives no process the number of a session that still has members; a leader born later is somebody else's.
    """
    foreign = {pid for pid, born in leaders.items() if processes.birth(pid) not in (None, born)}
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
            ours = session in leaders and session not in foreign and (entry / "cwd").readlink() == folder
        except OSError:
            continue
        born = processes.birth(int(entry.name))
        if ours and born is not None and born >= leaders[session]:
            found[int(entry.name)] = born
    return found
