"""The lab's Airflow as a whole: up, status, env, restart, down."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dalp_dr_lab import processes
from dalp_dr_lab.airflow import components, configuration, metadata, outside, settings
from dalp_dr_lab.airflow.components import COMPONENTS, DATABASE
from dalp_dr_lab.airflow.connections import as_variables, connections
from dalp_dr_lab.airflow.places import Places
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab

_CODE = ("plugins", "include/dalp_dr")


def up(lab: Lab) -> None:
    """Start Airflow, or what of it does not run; components that run with other settings or older code are restarted."""
    places = Places(lab.checkout, lab.home)
    chosen = settings.load(places, lab.port)
    settings.users(places)
    own = configuration.variables(places, chosen)
    _database(lab, places, chosen, own)
    variables = {**own, **as_variables(connections(outside.of(lab, places)))}
    fingerprint = _fingerprint(lab, variables)
    if _running_fingerprint(places) != fingerprint:
        components.stop(lab, COMPONENTS)
    settings.write_private(places.fingerprint, fingerprint)
    started = datetime.now(UTC)
    missing = [name for name in COMPONENTS if name not in processes.alive(lab.folder)]
    for name in missing:
        components.stop(lab, [name])
        components.start(lab, name, components.command(name), variables)
    components.wait_healthy(lab, chosen.url, started if missing else None)


def restart(lab: Lab, name: str) -> None:
    """End one component (`scheduler`, `triggerer`, `dag-processor`, `api-server`) and start it again."""
    full = f"airflow-{name.removeprefix('airflow-')}"
    if full not in COMPONENTS:
        raise LabError(f"Airflow has no component {name!r}. Choose one of {', '.join(COMPONENTS)}.")
    components.stop(lab, [full])
    up(lab)


def status(lab: Lab) -> dict[str, Any]:
    """`{component: {running, healthy, pid, memory_bytes}}` of the database and the four components."""
    places = Places(lab.checkout, lab.home)
    if not places.secrets.exists():
        return {}
    chosen = settings.load(places, lab.port)
    alive, report = processes.alive(lab.folder), components.report(chosen.url)
    found: dict[str, Any] = {}
    for name in (DATABASE, *COMPONENTS):
        health = metadata.ready(chosen) if name == DATABASE else components.healthy(report, COMPONENTS[name])
        memory = processes.proportional_bytes(components.members(lab, [name]))
        found[name] = {"running": name in alive, "healthy": health, "pid": alive.get(name), "memory_bytes": memory}
    return found


def env(lab: Lab) -> dict[str, str]:
    """The address of the web page and the users with their passwords, as `user:password,...`."""
    places = Places(lab.checkout, lab.home)
    users = ",".join(f"{user}:{password}" for user, password in settings.users(places).items())
    return {"AIRFLOW_URL": settings.load(places, lab.port).url, "AIRFLOW_USERS": users}


def down(lab: Lab) -> None:
    """End the components, then their database; what they wrote stays until the lab's folder goes."""
    components.stop(lab, COMPONENTS)
    processes.stop(lab.folder, [DATABASE], how=processes.signal.SIGINT, grace_seconds=components.STOP_SECONDS)


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
    digest = hashlib.sha256(json.dumps(variables, sort_keys=True).encode())
    for folder in _CODE:
        for path in sorted((lab.checkout / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(lab.checkout)).encode() + path.read_bytes())
    return digest.hexdigest()


def _running_fingerprint(places: Places) -> str | None:
    return json.loads(places.fingerprint.read_text()) if places.fingerprint.exists() else None
