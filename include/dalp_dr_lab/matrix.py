"""`python -m dalp_dr_lab matrix [FAULT...]`: one drill for each fault, and whether each named its fault."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dalp_dr_lab.faults.fault import Fault
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.progress import say

Summary = Mapping[str, Any]
RunDrill = Callable[[Lab, str], tuple[int, Summary | None]]


@dataclass(frozen=True, slots=True)
class Row:
    """What a drill on a lab with one fault came to. `named` are those of the fault's checks that the drill gave as reasons."""

    fault: str
    expected: str
    decision: str | None
    verdict: str | None
    outcome: str | None
    reasons: tuple[str, ...]
    named: tuple[str, ...]
    seconds: float
    passed: bool


def main(argv: Sequence[str]) -> int:
    """Run the drills, write faults.json in the state folder, return 0 only when every fault was found and named."""
    from dalp_dr_lab.faults import registry

    parser = argparse.ArgumentParser(prog="python -m dalp_dr_lab matrix", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FAULT", help="only these; otherwise all")
    lab, faults = Lab.load(), registry.named(parser.parse_args(list(argv)).names or list(registry.FAULTS))
    rows = []
    for number, fault in enumerate(faults, 1):
        say(f"{number} of {len(faults)}: {fault.name}: {fault.sentence}")
        rows.append(row(lab, fault, drill))
        _write(lab.home / "faults.json", rows)  # after each: an interrupted matrix keeps what it saw
        say(f"{rows[-1].seconds:7.1f} s  {fault.name}: {'found' if rows[-1].passed else 'NOT FOUND'} ({rows[-1].decision})")
    missed = [one.fault for one in rows if not one.passed]
    say(f"{len(rows) - len(missed)} of {len(rows)} faults found and named" + (f"; not: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


def row(lab: Lab, fault: Fault, run: RunDrill) -> Row:
    """Run one drill and judge it: it must fail, end as the fault says, and name at least one of the fault's checks."""
    begin = time.monotonic()
    status, found = run(lab, fault.name)
    summary: Summary = found or {}
    reasons = tuple(sorted({str(reason["check"]) for reason in summary.get("reasons", ())}))
    named = tuple(check for check in fault.checks if check in reasons)
    ended_as_said = summary.get("outcome") == "refused" if fault.outcome == "refused" else summary.get("decision") == "FIX"
    return Row(
        fault=fault.name,
        expected=fault.outcome,
        decision=summary.get("decision"),
        verdict=summary.get("verdict"),
        outcome=summary.get("outcome"),
        reasons=reasons,
        named=named,
        seconds=round(time.monotonic() - begin, 1),
        passed=status != 0 and summary.get("decision") != "READY" and bool(named) and ended_as_said,
    )


def drill(lab: Lab, fault: str) -> tuple[int, Summary | None]:
    """Run a drill in a process of its own; its exit status and the summary of the drill that it made, None without one."""
    drills = lab.home / "drills"
    before = _drills(drills)
    done = subprocess.run([sys.executable, "-m", "dalp_dr_lab", "drill", "--fault", fault], check=False)
    made = sorted(_drills(drills) - before, key=lambda path: path.stat().st_mtime)
    path = made[-1] / "summary.json" if made else None
    return done.returncode, json.loads(path.read_text()) if path and path.exists() else None


def _drills(folder: Path) -> set[Path]:
    return {path for path in folder.glob("d-*") if path.is_dir()}


def _write(path: Path, rows: Sequence[Row]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n")
    new.replace(path)
