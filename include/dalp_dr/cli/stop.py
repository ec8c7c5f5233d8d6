"""`stop ENVIRONMENT`: cancels, fences and tears down the running drill, with Airflow down too; an incident pre-empts drills.

The work needs a cluster and a store, which this package does not know: it is handed to the module MODULE in a process of its own.
"""

from __future__ import annotations

import argparse
from typing import Any

from dalp_dr.cli import airflow_side
from dalp_dr.errors import InputError

MODULE = "dalp_dr_airflow.stop"
WITHIN_SECONDS = 180


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "stop",
        help="stop the running drill of an environment, now",
        description="Fences the drill, cancels its restores, removes its sandbox, seals what was recorded as aborted. Needs the Airflow "
        "connections of a worker (environment variables or secrets backend), not Airflow itself.",
    )
    command.add_argument("environment", metavar="ENVIRONMENT", help="name of the environment file")
    command.add_argument("--reason", default="", help="why; kept as evidence")
    command.add_argument("--drill", metavar="ID", help="a drill that does not hold the lease")
    command.add_argument("--incident", metavar="NAME", help="a real recovery begins: no drill starts until it is over")
    command.add_argument("--incident-hours", type=float, default=24.0, metavar="HOURS", help="after so long it counts as over (24)")
    command.add_argument("--incident-over", action="store_true", help="drills may start again")
    command.add_argument("--within", type=int, default=WITHIN_SECONDS, metavar="SECONDS", help=f"time for the removal ({WITHIN_SECONDS})")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Exit status of the module: 0 done, 1 something is left, 2 it could not be asked for."""
    if not chosen.incident_over and not (chosen.reason or chosen.incident):
        raise InputError("Nobody would know why this drill was stopped.", "Say it: --reason TEXT, or --incident NAME.")
    return airflow_side.run(MODULE, words(chosen))


def words(chosen: argparse.Namespace) -> list[str]:
    """The same request as arguments of the module."""
    said = [chosen.environment, "--within", str(chosen.within), "--incident-hours", str(chosen.incident_hours)]
    for name in ("reason", "drill", "incident"):
        if value := getattr(chosen, name):
            said += [f"--{name}", value]
    return [*said, *(["--incident-over"] if chosen.incident_over else []), *(["--json"] if chosen.json else [])]
