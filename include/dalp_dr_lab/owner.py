"""Which lab uses this machine: the lab's address and cluster exist once, whoever's checkout they serve."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dalp_dr_lab import processes
from dalp_dr_lab.cluster import lifecycle
from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab


@contextmanager
def one_at_a_time(lab: Lab) -> Iterator[None]:
    """Hold the lab lock of the machine (of a given cluster: of this lab): of several `up` and `down` one runs at a time."""
    folder = lab.folder if lab.external_cluster else machine()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def claim(lab: Lab) -> None:
    """Note that this lab uses the machine; LabError when the lab of another checkout still runs."""
    if other := another(lab):
        raise LabError(
            f"The lab of another checkout runs on this machine: {other['checkout']} (state in {other['home']}). "
            "Stop it with `make down` there, then try again."
        )
    note = {"home": str(lab.home), "checkout": str(lab.checkout), "cluster_home": str(lab.cluster_home)}
    machine().mkdir(parents=True, exist_ok=True)
    new = _note().with_suffix(".new")
    new.write_text(json.dumps(note))
    new.replace(_note())


def another(lab: Lab) -> dict[str, str] | None:
    """The lab of another checkout that still runs, as {home, checkout, cluster_home}; None when there is none."""
    if not _note().exists():
        return None
    owner: dict[str, str] = json.loads(_note().read_text())
    if owner["home"] == str(lab.home):
        return None
    runs = processes.alive(Path(owner["home"]) / "lab") or lifecycle.running(Cluster(0, Path(owner["cluster_home"])))
    return owner if runs else None


def release(lab: Lab) -> None:
    """Forget that this lab uses the machine."""
    if not another(lab):
        _note().unlink(missing_ok=True)


def machine() -> Path:
    """Folder of what is true of the machine, whoever's checkout asks, until it is started again."""
    return Path(os.environ.get("DALP_DR_MACHINE") or "/run/dalp-dr")


def _note() -> Path:
    return machine() / "lab.json"
