"""The harness of the benchmarks: what it compares, what it refuses, and that the page says what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import harness
import page

PROGRAM = """
import sys
from side import report

report(found=sys.argv[1].split(), items=int(sys.argv[2]), cpu_seconds=float(sys.argv[3]), wall_seconds=1.0)
"""


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "one.py").write_text(PROGRAM)
    (tmp_path / "programs" / "broken.py").write_text("raise SystemExit('no such server')")
    monkeypatch.setattr(harness, "PROGRAMS", tmp_path / "programs")
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path / "home"))


def side(found: str, items: int, cpu: float, program: str = "one.py") -> harness.Side:
    return harness.Side("a side", program, (found, str(items), str(cpu)))


def compared(ours: harness.Side, peer: harness.Side, goal: float = 5, higher: bool = True) -> harness.Result:
    return harness.compare("B99", "one thing", "10 things", ours, peer, goal=goal, measure="cpu", higher_is_better=higher)[0]


@pytest.mark.parametrize(
    ("peer_items", "goal", "higher", "ratio", "met"),
    [
        (10, 5, True, 10, True),
        (10, 11, True, 10, False),
        (100, 5, True, 1, False),
        (10, 1.5, False, 0.1, True),
        (1000, 1.5, False, 10, False),
    ],
    ids=["ten times cheaper", "not cheap enough", "cost is for one item", "a share below the goal", "a share above the goal"],
)
def test_the_ratio_is_of_the_cost_of_one_item(peer_items: int, goal: float, higher: bool, ratio: float, met: bool) -> None:
    result = compared(side("a b", 10, 0.1), side("a b", peer_items, 1.0), goal, higher)
    assert result.ratio == pytest.approx(ratio) and result.met is met


def test_sides_that_conclude_differently_are_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="conclude differently"):
        compared(side("a b", 10, 0.1), side("a", 10, 1.0))
    assert not (tmp_path / "results").exists()


def test_a_side_that_breaks_is_told() -> None:
    with pytest.raises(AssertionError, match="no such server"):
        compared(side("a", 1, 1, "broken.py"), side("a", 1, 1))


def test_memory_above_its_goal_is_not_met() -> None:
    result = harness.compare(
        "B98", "", "", side("a", 1, 0.1), side("a", 1, 1), goal=5, measure="cpu", memory_goal_mb=1, note=lambda line: None
    )[0]
    assert result.ratio == pytest.approx(10) and not result.met


def test_the_result_is_kept_for_programs_and_for_the_page(tmp_path: Path) -> None:
    compared(side("a", 10, 0.1), side("a", 10, 1.0))
    entry = json.loads((tmp_path / "home" / "bench.json").read_text())["B99"]
    assert {"ratio", "goal", "higher_is_better", "ours", "peer", "load"} <= set(entry)
    assert entry["ours"] == pytest.approx(0.01) and entry == json.loads((tmp_path / "results" / "B99.json").read_text())


def test_the_page_in_the_documents_is_made_of_the_kept_results() -> None:
    assert page.PAGE.read_text() == page.page(page.results(), page.FIGURE.exists())
