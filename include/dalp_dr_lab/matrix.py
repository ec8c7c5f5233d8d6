"""`python -m dalp_dr_lab matrix`: drills on a broken lab, several faults at once, and whether each was found and named."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dalp_dr_lab import fault_table
from dalp_dr_lab.faults.fault import Fault
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.progress import say

Summary = Mapping[str, Any]
RunDrill = Callable[[Lab, Sequence[str]], tuple[int, Summary | None]]


@dataclass(frozen=True, slots=True)
class Row:
    """What a drill came to for one fault of the lab that it ran on.

    `named` are those of the fault's own checks that the drill really asked and answered with the fault's verdict; a
    check that another fault of the same drill may turn red too, or that was never reached, names nothing. `code` is a
    digest of what ran, `seconds` the time of the whole drill, backups and mending included.
    """

    fault: str
    expected: str
    decision: str | None
    verdict: str | None
    outcome: str | None
    reasons: tuple[str, ...]
    named: tuple[str, ...]
    seconds: float
    passed: bool
    together_with: tuple[str, ...] = ()
    drill_id: str | None = None
    code: str = ""


def main(argv: Sequence[str]) -> int:
    """Run the drills, write faults.json in the state folder, return 0 only when every fault was found and named."""
    from dalp_dr_lab.faults import registry

    parser = argparse.ArgumentParser(prog="python -m dalp_dr_lab matrix", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FAULT", help="only these; otherwise all")
    parser.add_argument("--only", default="", metavar="A,B", help="the same, separated by commas")
    parser.add_argument("--resume", action="store_true", help="leave out what this very code has found already")
    parser.add_argument("--each", action="store_true", help="a drill for each fault instead of one for several")
    parser.add_argument("--publish", action="store_true", help="write docs/faults.json and docs/faults.md from what was found; no drill")
    given = parser.parse_args(list(argv))
    lab = Lab.load()
    code, path = fault_table.code_digest(lab.checkout), lab.home / "faults.json"
    if given.publish:
        fault_table.publish(lab.checkout, read(path), registry.FAULTS.values())
        return 0
    wanted = [*given.names, *(name for name in given.only.split(",") if name)]
    faults = registry.named(wanted or list(registry.FAULTS))
    rows = {one["fault"]: one for one in read(path)} if wanted or given.resume else {}
    if given.resume:
        faults = [one for one in faults if not (rows.get(one.name, {}).get("passed") and rows[one.name]["code"] == code)]
    groups = [[one] for one in faults] if given.each else grouped(faults)
    found: list[Row] = []
    for number, group in enumerate(groups, 1):
        say(f"{number} of {len(groups)}: {', '.join(one.name for one in group)}")
        for row in together(lab, group, drill, code):
            found.append(row)
            rows[row.fault] = asdict(row)
            say(f"{row.seconds:7.1f} s  {row.fault}: {'found' if row.passed else 'NOT FOUND'} ({row.decision}: {', '.join(row.named)})")
        write(path, rows.values())  # after each drill: an interrupted matrix keeps what it saw
    missed = [one.fault for one in found if not one.passed]
    say(f"{len(found) - len(missed)} of {len(found)} faults found and named" + (f"; not: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


def grouped(faults: Iterable[Fault]) -> list[list[Fault]]:
    """The faults of one group together, in the order in which they break; a fault without group alone."""
    found: dict[str, list[Fault]] = {}
    for fault in faults:
        found.setdefault(fault.group or fault.name, []).append(fault)
    return list(found.values())


def together(lab: Lab, group: Sequence[Fault], run: RunDrill, code: str = "") -> list[Row]:
    """One drill on a lab with all these faults, judged for each of them."""
    begin = time.monotonic()
    status, found = run(lab, [one.name for one in group])
    seconds = round(time.monotonic() - begin, 1)
    return [judged(one, [other for other in group if other is not one], status, found or {}, seconds, code) for one in group]


def judged(fault: Fault, others: Sequence[Fault], status: int, summary: Summary, seconds: float, code: str) -> Row:
    """The drill must fail, end as the fault says, and name it by a check that none of the others explains."""
    asked = [reason for reason in summary.get("reasons", ()) if reason.get("ran", True)]
    explained = {check for other in others for check in other.checks}
    answered = {str(reason["check"]) for reason in asked if reason.get("verdict") == fault.verdict}
    named = tuple(check for check in fault.checks if check in answered and check not in explained)
    ended_as_said = summary.get("outcome") == "refused" if fault.outcome == "refused" else summary.get("decision") == "FIX"
    return Row(
        fault=fault.name,
        expected=fault.outcome,
        decision=summary.get("decision"),
        verdict=summary.get("verdict"),
        outcome=summary.get("outcome"),
        reasons=tuple(sorted({str(reason["check"]) for reason in asked})),
        named=named,
        seconds=seconds,
        passed=status != 0 and summary.get("decision") != "READY" and bool(named) and ended_as_said,
        together_with=tuple(other.name for other in others),
        drill_id=summary.get("drill_id"),
        code=code,
    )


def drill(lab: Lab, faults: Sequence[str]) -> tuple[int, Summary | None]:
    """Run a drill in a process of its own; its exit status and the summary of the drill that it made, None without one."""
    drills = lab.home / "drills"
    before = _drills(drills)
    done = subprocess.run([sys.executable, "-m", "dalp_dr_lab", "drill", "--fault", ",".join(faults)], check=False)
    made = sorted(_drills(drills) - before, key=lambda path: path.stat().st_mtime)
    path = made[-1] / "summary.json" if made else None
    return done.returncode, json.loads(path.read_text()) if path and path.exists() else None


def _drills(folder: Path) -> set[Path]:
    return {path for path in folder.glob("d-*") if path.is_dir()}


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of an earlier matrix; none when there was none."""
    found: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return found


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace the file as a whole."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(list(rows), indent=1) + "\n")
    new.replace(path)
