"""Set-up runs builds beside downloads, keeps their order, and stops at the first failure with its words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.setup import phases


def _phase(name: str, *after: str, builds: bool = False) -> phases.Phase:
    return phases.Phase(name, f"title of {name}", 1, lambda: True, lambda: None, after, builds)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for bootstrap.py that notes its phase and fails for `bad`."""
    path = tmp_path / "bootstrap.py"
    path.write_text(
        "import pathlib, sys\n"
        f"with pathlib.Path({str(tmp_path / 'order')!r}).open('a') as note: note.write(sys.argv[2] + chr(10))\n"
        "print('words of', sys.argv[2])\n"
        "sys.exit(sys.argv[2] == 'bad')\n"
    )
    monkeypatch.setattr(phases, "BOOTSTRAP", path)
    monkeypatch.setattr(sys, "executable", sys.executable)
    return path


def test_order_is_kept_across_lanes(script: Path, tmp_path: Path) -> None:
    todo = [_phase("compile", builds=True), _phase("packages"), _phase("images", "compile", "packages")]
    phases.Runner(todo, tmp_path / "logs").run()
    order = (tmp_path / "order").read_text().split()
    assert sorted(order) == ["compile", "images", "packages"]
    assert order[-1] == "images"


def test_a_failure_names_phase_log_and_last_words_and_stops_the_rest(script: Path, tmp_path: Path) -> None:
    todo = [_phase("bad"), _phase("later"), _phase("images", "later")]
    with pytest.raises(LabError, match=r"title of bad failed") as raised:
        phases.Runner(todo, tmp_path / "logs").run()
    assert "words of bad" in str(raised.value)
    assert "bad.log" in str(raised.value)
    assert (tmp_path / "order").read_text().split() == ["bad"]


def test_a_phase_whose_predecessor_is_done_already_does_not_wait_for_it(script: Path, tmp_path: Path) -> None:
    phases.Runner([_phase("images", "kubernetes", "rootfs")], tmp_path / "logs").run()
    assert (tmp_path / "order").read_text().split() == ["images"]


def test_every_phase_comes_after_what_it_needs_and_is_in_one_lane() -> None:
    first, second = phases.lanes(phases.PHASES)
    assert sorted(phase.name for phase in (*first, *second)) == sorted(phases.by_name())
    for lane in (first, second):
        names = [phase.name for phase in lane]
        for phase in lane:
            assert all(names.index(need) < names.index(phase.name) for need in phase.after if need in names)


def test_the_fast_stage_needs_no_root() -> None:
    assert phases.FAST == ("environment",)
