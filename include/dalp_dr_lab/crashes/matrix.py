"""`python -m dalp_dr_lab crashes [NAME...]`: good drills with crashes in their middle, and whether they end as without."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dalp_dr_lab.crashes import aftermath, registry
from dalp_dr_lab.crashes.crash import Crash
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.progress import say


def main(argv: Sequence[str]) -> int:
    """One drill for each group of crashes; crashes.json in the state folder says what came of it. 0 when nothing went wrong."""
    parser = argparse.ArgumentParser(prog="python -m dalp_dr_lab crashes", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(registry.CRASHES)}")
    wanted = registry.named(parser.parse_args(list(argv)).names or list(registry.CRASHES))
    lab, rows = Lab.load(), []
    for group in registry.GROUPS:
        if chosen := [one for one in wanted if one.group == group]:
            rows.append(_drill(lab, chosen))
            (lab.home / "crashes.json").write_text(json.dumps(rows, indent=1) + "\n")
    bad = [f"{', '.join(row['crashes'])}: {text}" for row in rows for text in row["complaints"]]
    for text in bad:
        say(text)
    say(f"{len(rows)} drills with {len(wanted)} crashes, {len(bad)} complaints")
    return 1 if bad else 0


def _drill(lab: Lab, chosen: Sequence[Crash]) -> dict[str, list[str]]:
    names, began = [one.name for one in chosen], time.time()
    done = subprocess.run([sys.executable, "-m", "dalp_dr_lab", "drill", "--crash", ",".join(names)], check=False)
    made = [path for path in (lab.home / "drills").glob("d-*/crashes.json") if path.stat().st_mtime >= began]
    if len(made) != 1:
        return {"crashes": names, "complaints": [f"{len(made)} drills were run; exit status {done.returncode}"]}
    return {"crashes": names, "complaints": list(judge(lab, made[0].parent, names, done.returncode))}


def judge(lab: Lab, folder: Path, names: Sequence[str], status: int) -> list[str]:
    """What is wrong with a drill in whose middle all of these crashes were to happen."""
    told = json.loads((folder / "crashes.json").read_text())
    missed = sorted(set(names) - set(told["happened"]))
    found = [f"never happened: {', '.join(missed)}"] if missed else []
    found += aftermath.complaints(folder, told["asked_at"], sorted((lab.home / "ledger").glob("*.json")))
    return found + ([f"exit status {status}"] if status and not found else [])
