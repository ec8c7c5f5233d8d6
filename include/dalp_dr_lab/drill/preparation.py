"""What a drill needs before it: a running lab, fresh backups, and a fault where one was asked for."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from dalp_dr_lab import owner, parts
from dalp_dr_lab.drill import leftovers
from dalp_dr_lab.drill.options import DAGS
from dalp_dr_lab.drill.rest import AirflowApi
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab


def lab_up(lab: Lab) -> Lab:
    """Start every part of the lab but Airflow; returns the lab as it is then."""
    return _up(lab, [name for name in parts.NAMES if name != "airflow"])


def airflow_up(lab: Lab) -> Lab:
    """Start Airflow, or restart what of it runs on older code or settings."""
    return _up(lab, ["airflow"])


def lab_since(lab: Lab) -> datetime:
    """When the lab's cluster came into being: runs older than that belong to a lab that is gone."""
    found = lab.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.creationTimestamp}")
    return datetime.fromisoformat(found)


def clear(lab: Lab, api: AirflowApi, say: Callable[[str], None]) -> None:
    """Remove the sandboxes that earlier drills left for a look: the lab has no room to keep them."""
    runs = [run for dag_id in DAGS.values() for run in api.runs(dag_id)]
    for drill in leftovers.remove(lab, runs, datetime.now(UTC)):
        say(f"Removed what drill {drill} had left in the lab. Its evidence stays.")


def refresh_backups() -> None:
    """Let users work, then let the controllers back everything up."""
    with contextlib.redirect_stdout(io.StringIO()):  # what they made, for a machine; the steps are said on stderr
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
