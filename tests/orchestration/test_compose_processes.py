"""The commands and the environment of docker-compose.yaml, run as processes with its paths on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compose_file import ROOT, merged

SERVICES: dict[str, dict[str, Any]] = merged()["services"]
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A component's environment: the container's folders and secrets put where this machine has them."""
    folder = tmp_path_factory.mktemp("compose")
    secrets = folder / "secrets"
    for name in ("secrets", "home", "state"):
        (folder / name).mkdir()
    written = {
        "sql_alchemy_conn": f"sqlite:///{folder}/airflow.db",
        "fernet_key": "3mAo5Uyrl8rR9oYxvVbPBrqZDxWw3nHYxHcAKEQJG6s=",
        "jwt_secret": "j" * 64,
        "api_secret": "a" * 32,
        "connections.yaml": "dalp_api:\n  conn_type: http\n  password: read-only\n",
    }
    for name, text in written.items():
        (secrets / name).write_text(text)
    places = {"/run/secrets": str(secrets), "/opt/airflow/home": str(folder / "home"), "/opt/airflow/state": str(folder / "state")}
    places |= {f"/opt/airflow/{name}": str(ROOT / name) for name in ("dags", "plugins", "include")}
    found = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "DALP"))}
    for name, value in SERVICES["scheduler"]["environment"].items():
        for inside, here in places.items():
            value = value.replace(inside, here)
        found[name] = value
    return found


def airflow(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "airflow", *words], env=environment, capture_output=True, text=True, check=False)


def test_every_airflow_service_has_the_same_environment() -> None:
    assert [name for name in (*COMPONENTS, "init") if SERVICES[name]["environment"] != SERVICES["scheduler"]["environment"]] == []


def test_the_migration_makes_the_tables(environment: dict[str, str]) -> None:
    done = airflow(environment, *SERVICES["init"]["command"])
    assert done.returncode == 0, done.stderr[-2000:]
    assert Path(environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD"].removeprefix("cat ")).exists()
    assert "Database migration done" in done.stdout + done.stderr


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_s_command_exists(environment: dict[str, str], name: str) -> None:
    done = airflow(environment, *SERVICES[name]["command"], "--help")
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"airflow {name}" in done.stdout


PROGRAM = """
import json, os
from airflow.configuration import conf
known = conf.configuration_description
unknown = []
for name in os.environ:
    if name.startswith("AIRFLOW__"):
        section, option = name.removeprefix("AIRFLOW__").removesuffix("_CMD").lower().split("__", 1)
        if option not in known.get(section, {}).get("options", {}) and (section, option) != ("core", "simple_auth_manager_passwords_file"):
            unknown.append(name)
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(conf.get("core", "dags_folder"))
from airflow.secrets.local_filesystem import LocalFilesystemBackend
backend = LocalFilesystemBackend(**json.loads(conf.get("secrets", "backend_kwargs")))
print("RESULT" + json.dumps({
    "unknown": unknown,
    "database": conf.get("database", "sql_alchemy_conn"),
    "jwt": len(conf.get("api_auth", "jwt_secret")),
    "dags": sorted(bag.dags), "errors": bag.import_errors,
    "api": backend.get_connection("dalp_api").password,
}))
"""


def test_the_environment_is_understood_and_secrets_come_from_files(environment: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.rpartition("RESULT")[2])
    assert found["unknown"] == []
    assert found["database"].startswith("sqlite:///")
    assert (found["jwt"], found["api"]) == (64, "read-only")
    assert ({"quarterly_drill", "surface_check"} <= set(found["dags"]), found["errors"]) == (True, {})
