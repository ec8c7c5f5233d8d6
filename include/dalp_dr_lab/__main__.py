"""python -m dalp_dr_lab: a whole small DALP on a real Kubernetes, on this machine.

    up [PART...]       start what does not run: ground, miniature, airflow (all)
    status             what runs, and its memory; exit status 3 when something does not
    env                environment variables for kubectl, S3, psql and Ethereum clients: eval "$(python -m dalp_dr_lab env)"
    down               stop everything; only evidence stays
    traffic            let users mint, transfer, upload and request
    backup             let the controllers take backups of everything now
    faults             list the faults
    break FAULT        break the lab by ordinary means
    mend               undo every fault and back up again
    recovery           start a second, empty cluster beside the first, ready to recover to
    lose               stop the source cluster for good; backups, Git and chain survive
    drill              run a drill and print what it found
    stop               stop the running drill, with Airflow down too
    crashes [NAME...]  good drills with crashes in their middle: do they end as without?
    posture            one look of the hourly watch between drills, and what it found
    matrix [FAULT...]  drills on a broken lab: is each fault found and named? --resume goes on, --publish writes docs/faults.md

Add --json for a machine's eyes.
"""

from __future__ import annotations

import importlib
import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from typing import Any

from dalp_dr.errors import DrillError
from dalp_dr_lab import owner, parts
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.progress import say, step
from dalp_dr_lab.setup import machine

ELSEWHERE = {  # command: (module with main(argv), words put before the rest)
    "traffic": ("miniature.traffic", []),
    "backup": ("miniature.backup", []),
    "break": ("faults", ["break"]),
    "mend": ("faults", ["mend"]),
    "faults": ("faults", ["faults"]),
    "recovery": ("recovery", ["recovery"]),
    "lose": ("recovery", ["lose"]),
    "drill": ("drill", []),
    "posture": ("drill.posture", []),
    "stop": ("stop", []),
    "crashes": ("crashes", []),
    "matrix": ("matrix", []),
}


def main(words: Sequence[str]) -> int:
    """Run one command; returns the exit status."""
    os.environ["PATH"] = machine.with_system_folders(os.environ.get("PATH", ""))
    verb, *rest = words or ["help"]
    if verb in ELSEWHERE:
        module, before = ELSEWHERE[verb]
        return int(importlib.import_module(f"dalp_dr_lab.{module}").main([*before, *rest]))
    as_json, rest = "--json" in rest, [word for word in rest if word != "--json"]
    if verb not in ("up", "status", "env", "down") or not set(rest) <= set(parts.NAMES):
        print(__doc__)
        return 0 if verb in ("help", "-h", "--help") else 2
    lab = Lab.load()
    if verb == "up":
        return _up(lab, [name for name in parts.NAMES if name in rest or not rest], as_json)
    if verb == "status":
        return _status(lab, as_json)
    if verb == "env":
        values = {key: value for name in parts.NAMES for key, value in parts.part(name).env(lab).items()}
        print(json.dumps(values) if as_json else "\n".join(f"export {k}={shlex.quote(v)}" for k, v in values.items()))
        return 0
    return _down(lab, as_json)


def _up(lab: Lab, names: Sequence[str], as_json: bool) -> int:
    begin, seconds = time.monotonic(), {}
    with owner.one_at_a_time(lab):
        for name in names:
            start = time.monotonic()
            parts.part(name).up(lab)
            lab = Lab.load()
            seconds[name] = round(time.monotonic() - start, 1)
    say(f"{time.monotonic() - begin:7.1f} s  the lab is up. `make down` stops it.")
    if as_json:
        print(json.dumps({"seconds": seconds}))
    return 0


def _status(lab: Lab, as_json: bool) -> int:
    answers: dict[str, dict[str, Any]] = {name: parts.part(name).status(lab) for name in parts.NAMES}
    if as_json:
        print(json.dumps(answers, indent=1))
    else:
        for name, answer in answers.items():
            print(f"{name}: {'running' if answer['running'] else 'NOT RUNNING'}")
            print("\n".join(f"  {line}" for key, value in answer.items() if key != "running" for line in _lines(key, value)))
    return 0 if all(answer["running"] for answer in answers.values()) else 3


def _lines(key: str, value: object) -> list[str]:
    if key.endswith("_bytes") and isinstance(value, int):
        return [f"{key.removesuffix('_bytes')}: {value / 2**20:.0f} MB"]
    if isinstance(value, dict):
        shown = {k: f"{v / 2**20:.0f} MB" if isinstance(v, int) and v > 2**20 else v for k, v in value.items()}
        return [f"{key}: " + ", ".join(f"{k} {v}" for k, v in shown.items())]
    return [f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"] if value else []


def _down(lab: Lab, as_json: bool) -> int:
    begin = time.monotonic()
    failed = []
    with owner.one_at_a_time(lab):
        for name in reversed(parts.NAMES):
            try:
                with step(f"stop {name}"):
                    parts.part(name).down(lab)
            except (DrillError, OSError) as error:  # the others must still stop
                failed.append(f"{name}: {error}")
    say(f"{time.monotonic() - begin:7.1f} s  down" + (f", but: {'; '.join(failed)}" if failed else ""))
    if as_json:
        print(json.dumps({"seconds": round(time.monotonic() - begin, 1), "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DrillError as error:
        sys.exit(f"dalp_dr_lab: {error.diagnostics()}")
    except KeyboardInterrupt:
        sys.exit(130)
