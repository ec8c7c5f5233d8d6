"""The parts of the lab in the order in which they start. Each is a module with up, status, env and down."""

from __future__ import annotations

import importlib
from typing import Any, Protocol, cast

from dalp_dr_lab.lab import Lab

NAMES = ("ground", "miniature", "airflow")


class Part(Protocol):
    """One part of the lab."""

    def up(self, lab: Lab) -> None:
        """Start what does not run yet; return when it works."""

    def status(self, lab: Lab) -> dict[str, Any]:
        """What runs; `running` says whether all of it does. Changes nothing."""

    def env(self, lab: Lab) -> dict[str, str]:
        """Environment variables by which ordinary clients reach the part."""

    def down(self, lab: Lab) -> None:
        """Stop the part and leave nothing of it, also when it was never whole."""


def part(name: str) -> Part:
    """The part `name`, imported only now: a lab without Airflow needs no Airflow."""
    return cast(Part, importlib.import_module(f"dalp_dr_lab.{name}"))
