"""Ports, passwords and secrets of the lab's Airflow: chosen once, kept with mode 600, the same at every start."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dalp_dr_lab.airflow.places import Places

# Web users and their roles: `user` may trigger, clear and answer; `op` also sees connections and variables.
ROLES = {"starter": "user", "owner": "user", "operator": "op", "viewer": "viewer"}
_SECRETS: dict[str, Callable[[], str]] = {
    "database_password": lambda: secrets.token_urlsafe(18),
    "fernet_key": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "jwt_secret": lambda: secrets.token_urlsafe(64),
    "api_secret": lambda: secrets.token_urlsafe(32),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything about this Airflow that is chosen and must stay the same."""

    web_port: int
    database_port: int
    worker_log_port: int
    trigger_log_port: int
    database_password: str = field(repr=False)
    fernet_key: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    api_secret: str = field(repr=False)

    @property
    def url(self) -> str:
        """Address of the web page and of the REST API."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def database_url(self) -> str:
        """SQLAlchemy address of the metadata database; Airflow derives the async one."""
        return f"postgresql+psycopg2://airflow:{self.database_password}@127.0.0.1:{self.database_port}/airflow"


def load(places: Places, port: Callable[[str], int]) -> Settings:
    """The settings of this lab; secrets it lacks are made now. `port` gives a name its port for good."""
    kept = _keep(places.secrets, _SECRETS)
    return Settings(
        web_port=port("airflow-web"),
        database_port=port("airflow-database"),
        worker_log_port=port("airflow-worker-log"),
        trigger_log_port=port("airflow-trigger-log"),
        **kept,
    )


def users(places: Places) -> dict[str, str]:
    """Passwords of the web users; those it lacks are made now."""
    return _keep(places.users, {user: lambda: secrets.token_urlsafe(12) for user in ROLES})


def write_private(path: Path, content: Any) -> None:
    """Write JSON that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=1)
    unfinished.replace(path)


def _keep(path: Path, makers: dict[str, Callable[[], str]]) -> dict[str, str]:
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    wanted = {name: known.get(name) or make() for name, make in makers.items()}
    if wanted != known:
        write_private(path, wanted)
    return wanted
