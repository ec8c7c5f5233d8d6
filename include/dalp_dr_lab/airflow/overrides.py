"""Connections of the lab's Airflow that a fault lets lead elsewhere; the file goes with the lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dalp_dr_lab.airflow.settings import write_private
from dalp_dr_lab.lab import Lab


def path(lab: Lab) -> Path:
    """The file."""
    return lab.folder / "airflow" / "overrides.json"


def read(lab: Lab) -> dict[str, dict[str, Any]]:
    """`{connection id: connection}`, empty while no fault is active."""
    found: dict[str, dict[str, Any]] = json.loads(path(lab).read_text()) if path(lab).exists() else {}
    return found


def put(lab: Lab, name: str, connection: dict[str, Any] | None) -> None:
    """Replace a connection, or with None let it be what it was."""
    others = {key: one for key, one in read(lab).items() if key != name}
    write_private(path(lab), {**others, **({} if connection is None else {name: connection})})
