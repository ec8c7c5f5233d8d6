"""The lab's Airflow as a whole: up, status, env, restart, down."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dalp_dr_lab import processes
from dalp_dr_lab.airflow import components, configuration, metadata, outside, overrides, settings
from dalp_dr_lab.airflow.components import COMPONENTS, DATABASE
from dalp_dr_lab.airflow.connections import as_variables, connections
from dalp_dr_lab.airflow.places import Places
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.progress import step

_CODE = ("plugins", "include/dalp_dr")


def up(lab: Lab) -> None:
    """Start what of Airflow does not run; restart what runs with other settings or older code."""
    places = Places(lab.checkout, lab.home)
    chosen = settings.load(places, lab.port)
    settings.users(places)
    own = configuration.variables(places, chosen, lab.tools)
    with step("Airflow's database"):
        _database(lab, places, chosen, own)
    variables = worker_variables(lab)
    fingerprint = _fingerprint(lab, variables)
    if _running(places).get("fingerprint") != fingerprint:
        components.stop(lab, COMPONENTS)
    started = datetime.now(UTC)
    missing = [name for name in COMPONENTS if name not in processes.alive(lab.folder)]
    since = started.isoformat() if "airflow-dag-processor" in missing else _running(places)["parsing_since"]
    settings.write_private(places.running, {"fingerprint": fingerprint, "parsing_since": since})
    for name in missing:
        components.stop(lab, [name])
        components.start(lab, name, components.command(name), variables)
    with step("Airflow: API server, scheduler, DAG processor, triggerer"):
        components.wait_healthy(lab, chosen.url, started if missing else None)


def restart(lab: Lab, name: str) -> None:
    """End one component (`scheduler`, `triggerer`, `dag-processor`, `api-server`) and start it again."""
    full = f"airflow-{name.removeprefix('airflow-')}"
    if full not in COMPONENTS:
        raise LabError(f"Airflow has no component {name!r}. Choose one of {', '.join(COMPONENTS)}.")
    components.stop(lab, [full])
    up(lab)


def status(lab: Lab) -> dict[str, Any]:
    """What runs: `running` (all of it, and healthy), `url`, and the memory of each component in bytes."""
    places = Places(lab.checkout, lab.home)
    if not places.secrets.exists():
        return {"running": False}
    chosen = settings.load(places, lab.port)
    alive, report = processes.alive(lab.folder), components.report(chosen.url)
    healthy = {name: components.healthy(report, part) for name, part in COMPONENTS.items()}
    healthy[DATABASE] = metadata.ready(chosen)
    memory = {name: processes.proportional_bytes(components.members(lab, [name])) for name in (DATABASE, *COMPONENTS) if name in alive}
    return {
        "running": len(memory) == len(healthy) and all(healthy.values()),
        "url": chosen.url,
        "components": memory,
        "unhealthy": sorted(name for name, well in healthy.items() if not well),
        "memory_bytes": sum(memory.values()),
    }


def env(lab: Lab) -> dict[str, str]:
    """The address of the web page and the users with their passwords, as `user:password,...`."""
    places = Places(lab.checkout, lab.home)
    users = ",".join(f"{user}:{password}" for user, password in settings.users(places).items())
    return {"AIRFLOW_URL": settings.load(places, lab.port).url, "AIRFLOW_USERS": users}


def worker_variables(lab: Lab) -> dict[str, str]:
    """The environment of a worker, its connections included: for commands that must do without Airflow."""
    places = Places(lab.checkout, lab.home)
    chosen = settings.load(places, lab.port)
    found = {**connections(outside.of(lab, places)), **overrides.read(lab)}
    return {**configuration.variables(places, chosen, lab.tools), **as_variables(found)}


def parsing_since(lab: Lab) -> datetime:
    """When the running DAG processor was started: a DAG parsed earlier may be an older one."""
    return datetime.fromisoformat(_running(Places(lab.checkout, lab.home))["parsing_since"])


def down(lab: Lab) -> None:
    """End the components, then their database; what they wrote stays until the lab's folder goes."""
    components.stop(lab, COMPONENTS)
    processes.stop(lab.folder, [DATABASE], how=signal.SIGINT, grace_seconds=components.STOP_SECONDS)


def _database(lab: Lab, places: Places, chosen: settings.Settings, own: Mapping[str, str]) -> None:
    version = importlib.metadata.version("apache-airflow")
    if not (places.database / "PG_VERSION").exists():
        places.migrated.unlink(missing_ok=True)
    metadata.initialise(places, chosen)
    if DATABASE not in processes.alive(lab.folder):
        components.start(lab, DATABASE, metadata.server_command(places, chosen), {})
    components.wait(lab, DATABASE, lambda: metadata.ready(chosen), "Airflow's database", seconds=60)
    if places.migrated.exists() and places.migrated.read_text() == version:
        return
    metadata.create_database(chosen)
    with places.log("airflow-migrate").open("ab") as log:
        words = [*components.command("airflow-db"), "migrate"]
        clean = {name: value for name, value in os.environ.items() if name not in configuration.without(os.environ)}
        done = subprocess.run(words, env={**clean, **own}, stdout=log, stderr=log, cwd=places.home, check=False)
    if done.returncode:
        raise LabError(f"`airflow db migrate` failed: {components.last_words(lab, 'airflow-migrate')}")
    places.migrated.write_text(version)


def _fingerprint(lab: Lab, variables: Mapping[str, str]) -> str:
    """A digest of all that a running component has read: its settings and the code behind the DAGs."""
    digest = hashlib.sha256(json.dumps([sys.prefix, dict(variables)], sort_keys=True).encode())
    for folder in _CODE:
        for path in sorted((lab.checkout / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(lab.checkout)).encode() + path.read_bytes())
    return digest.hexdigest()


def _running(places: Places) -> dict[str, str]:
    found: dict[str, str] = json.loads(places.running.read_text()) if places.running.exists() else {}
    return found
