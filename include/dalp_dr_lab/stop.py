"""`python -m dalp_dr_lab stop`: `python -m dalp_dr stop lab` with the connections of the lab's Airflow, which may be down."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from dalp_dr_lab import airflow
from dalp_dr_lab.lab import Lab


def main(words: Sequence[str]) -> int:
    """Exit status of the command."""
    command = [sys.executable, "-m", "dalp_dr", "stop", "lab", *words]
    return subprocess.run(command, env={**os.environ, **airflow.worker_variables(Lab.load())}, check=False).returncode
