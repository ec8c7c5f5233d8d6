"""Hands work that needs a cluster and a store to a module of Airflow's side, in a process of its own: this package knows neither."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"


def run(module: str, words: Sequence[str]) -> int:
    """Exit status of the module, which finds both sides of the project on its path and Airflow's connections in its environment."""
    path = os.pathsep.join(p for p in (str(PLUGINS.parent / "include"), str(PLUGINS), os.environ.get("PYTHONPATH", "")) if p)
    return subprocess.run([sys.executable, "-m", module, *words], env={**os.environ, "PYTHONPATH": path}, check=False).returncode
