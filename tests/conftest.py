"""An Airflow home of the tests' own, and time limits by what a test needs."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from dalp_dr_lab import fault_table

ROOT = Path(__file__).resolve().parents[1]
LIMITS_SECONDS = {"lab": 1200, "drill": 5400}  # bringing the lab up is part of the first test that needs it


def _airflow_home() -> None:
    """Before anything imports Airflow: nothing of a person's own Airflow is read or written."""
    home = Path(tempfile.mkdtemp(prefix="dalp-dr-tests-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/unit.db",
        "AIRFLOW__API_AUTH__JWT_SECRET": "t" * 64,  # the API application refuses to start without one
    }


_airflow_home()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on the lab and whole drills get a longer limit, unless they say their own."""
    for item in items:
        for marker, seconds in LIMITS_SECONDS.items():
            if item.get_closest_marker(marker) and not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(seconds))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says when the committed result of the fault matrix is not this code's."""
    if sentence := fault_table.stale(ROOT):
        terminalreporter.write_line(f"Fault matrix: {sentence}", yellow=True)
