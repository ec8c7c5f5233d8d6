"""One lab uses a machine at a time; a running lab of another checkout is recognised and named."""

from __future__ import annotations

import fcntl
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dalp_dr_lab import owner, processes
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lab, Lab]]:
    """Two labs of two checkouts on one machine without any cluster; a program of the second one can be started."""
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("DALP_DR_MACHINE", str(tmp_path / "machine"))
    monkeypatch.setenv("CLUSTER_HOME", str(tmp_path / "cluster"))
    mine = Lab.load()
    other = replace(mine, home=tmp_path / "other", checkout=tmp_path / "checkout-of-another")
    yield mine, other
    processes.stop(other.folder, ["weed"], how=signal.SIGKILL)


def test_a_free_machine_is_claimed_and_released(labs: tuple[Lab, Lab]) -> None:
    mine, other = labs
    owner.claim(mine)
    owner.claim(mine)
    assert owner.another(mine) is None
    owner.release(mine)
    owner.claim(other)


def test_a_running_lab_of_another_checkout_is_named(labs: tuple[Lab, Lab]) -> None:
    mine, other = labs
    owner.claim(other)
    other.spawn("weed", [sys.executable, "-c", "import signal; signal.pause()"])
    with pytest.raises(LabError, match="checkout-of-another") as raised:
        owner.claim(mine)
    assert "make down" in str(raised.value)
    owner.release(mine)
    assert owner.another(mine) is not None, "one lab must not release another's claim"


def test_of_two_ups_one_waits(labs: tuple[Lab, Lab]) -> None:
    mine, _ = labs
    with owner.one_at_a_time(mine), (owner.machine() / "lab.lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_lab_that_died_gives_the_machine_free(labs: tuple[Lab, Lab]) -> None:
    mine, other = labs
    owner.claim(other)
    other.spawn("weed", [sys.executable, "-c", ""])
    processes.stop(other.folder, ["weed"])
    owner.claim(mine)
    assert owner.another(mine) is None
