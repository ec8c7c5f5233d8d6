"""What a drill needs before it: a running lab, fresh backups, and a fault where one was asked for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from dalp_dr_lab import owner, parts
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab


def lab_up(lab: Lab) -> Lab:
    """Start every part of the lab but Airflow; returns the lab as it is then."""
    return _up(lab, [name for name in parts.NAMES if name != "airflow"])


def airflow_up(lab: Lab) -> Lab:
    """Start Airflow, or restart what of it runs on older code or settings."""
    return _up(lab, ["airflow"])


def refresh_backups() -> None:
    """Let users work, then let the controllers back everything up."""
    _command("miniature.traffic", [])
    _command("miniature.backup", [])


def break_lab(faults: Sequence[str]) -> None:
    """Break the lab by ordinary means; the damage is in the backups when this returns."""
    _command("faults", ["break", ",".join(faults)])


def mend_lab() -> None:
    """Undo every fault and back up again."""
    _command("faults", ["mend"])


def _up(lab: Lab, names: Sequence[str]) -> Lab:
    with owner.one_at_a_time(lab):
        for name in names:
            parts.part(name).up(lab)
            lab = Lab.load()
    return lab


def _command(module: str, words: list[str]) -> None:
    status = importlib.import_module(f"dalp_dr_lab.{module}").main(words)
    if status:
        said = f"python -m dalp_dr_lab {' '.join(words) or module.rpartition('.')[2]}"
        raise LabError(f"`{said}` ended with status {status}. What it printed above says why.")
