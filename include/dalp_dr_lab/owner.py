"""Which lab uses this machine: the lab's address and cluster exist once, whoever's checkout they serve."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dalp_dr_lab import processes, state
from dalp_dr_lab.cluster import lifecycle
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab


@contextmanager
def one_at_a_time(lab: Lab) -> Iterator[None]:
    """Hold the machine's lab lock: of several `up` and `down` one runs and the others wait."""
    lab.caches.mkdir(parents=True, exist_ok=True)
    with (lab.caches / "lab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def claim(lab: Lab) -> None:
    """Note that this lab uses the machine; LabError when the lab of another checkout still runs."""
    if other := another(lab):
        raise LabError(
            f"The lab of another checkout runs on this machine: {other['checkout']} (state in {other['home']}). "
            "Stop it with `make down` there, then try again."
        )
    _note(lab).write_text(json.dumps({"home": str(lab.home), "checkout": str(lab.checkout)}))


def another(lab: Lab) -> dict[str, str] | None:
    """The lab of another checkout that still runs, as {home, checkout}; None when there is none."""
    if not _note(lab).exists():
        return None
    owner: dict[str, str] = json.loads(_note(lab).read_text())
    if owner["home"] == str(lab.home):
        return None
    runs = processes.alive(Path(owner["home"]) / "lab") or lifecycle.running(Cluster.of(0))
    return owner if runs else None


def release(lab: Lab) -> None:
    """Forget that this lab uses the machine."""
    if not another(lab):
        _note(lab).unlink(missing_ok=True)


def _note(lab: Lab) -> Path:
    return state.caches() / "lab.json"
