#!/usr/bin/env python3
"""Make a bare machine ready for the lab, with the system's Python 3.11 to 3.13 and nothing else.

bootstrap.py setup [--fast]   everything that is missing; --fast: only the virtual environment, without root
bootstrap.py check            only say whether this machine can carry the lab
bootstrap.py venv             print the virtual environment's folder
bootstrap.py lock             compile requirements*.txt into constraints.txt
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[0] = str(Path(__file__).resolve().parents[1])
KEPT = (
    "HOME",
    "PATH",
    "DALP_",
    "LAB_",
    "CLUSTER_",
    "DEBIAN_",
    "PIP_",
    "UV_",
    "GO",
    "npm_config_",
)  # what sudo hands on
OLDEST, NEWEST = (3, 11), (3, 13)


def main(words: Sequence[str]) -> int:
    """Run one command; returns the exit status."""
    _use_a_supported_python()
    from dalp_dr_lab.errors import LabError
    from dalp_dr_lab.setup import environment, machine, phases

    os.environ["PATH"] = machine.with_system_folders(os.environ.get("PATH", ""))
    verb, *rest = words or ["help"]
    try:
        if verb == "setup" and set(rest) <= {"--fast"}:
            return _setup(fast="--fast" in rest)
        if verb == "check" and not rest:
            return _check()
        if verb == "phase" and len(rest) == 1:
            phases.by_name()[rest[0]].run()
        elif verb == "venv" and not rest:
            print(environment.folder())
        elif verb == "lock" and not rest:
            environment.lock()
        else:
            print(__doc__)
            return 2
    except LabError as error:
        print(f"set-up: {error.diagnostics()}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"set-up: {error.filename} belongs to somebody else; give it to yourself with chown.", file=sys.stderr)
        return 1
    return 0


def _use_a_supported_python() -> None:
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            os.execv(found, [found, *sys.argv])
    sys.exit(
        f"set-up: Python 3.11 to 3.13 is needed and this is {sys.version_info[0]}.{sys.version_info[1]}; "
        "install one of these (Debian: apt-get install python3 python3-venv) and try again."
    )


def _check() -> int:
    from dalp_dr_lab.setup import machine, phases

    found = machine.refusals(machine.look(phases.CLUSTER))
    for sentence in found:
        print(f"set-up: {sentence}", file=sys.stderr)
    return 1 if found else 0


def _setup(fast: bool) -> int:
    from dalp_dr_lab import state
    from dalp_dr_lab.progress import say
    from dalp_dr_lab.setup import phases

    begin = time.monotonic()
    if not fast:
        if os.geteuid():
            return _again_as_root()
        if _check():
            return 1
    state.caches().mkdir(parents=True, exist_ok=True)
    with (state.caches() / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up runs on this machine; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        todo = phases.needed(phases.FAST if fast else None)
        if todo:
            say(f"set-up: {len(todo)} steps, about {_minutes(todo)} on 2 cores; interrupted, it goes on where it stopped")
            for phase in todo:
                say(f"          {phase.title} (about {phase.seconds} s)")
        try:
            phases.Runner(todo, phases.logs()).run()
        finally:
            if todo:
                _give_back(state.caches())
    say(f"{time.monotonic() - begin:7.1f} s  set-up complete")
    return 0


def _minutes(todo: Sequence[object]) -> str:
    from dalp_dr_lab.setup import phases

    lanes = phases.lanes([phase for phase in todo if isinstance(phase, phases.Phase)])
    seconds = max(sum(phase.seconds for phase in lane) for lane in lanes)
    return f"{max(1, round(seconds / 60))} min"


def _again_as_root() -> int:
    if not shutil.which("sudo"):
        return _check()
    silent = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    if silent.returncode and not sys.stdin.isatty():
        print(
            "set-up: The lab needs root, and sudo asks for a password that nobody can type here; run it as root.",
            file=sys.stderr,
        )
        return 1
    kept = [f"{name}={value}" for name, value in os.environ.items() if name.startswith(KEPT)]
    os.execvp("sudo", ["sudo", "-E", "env", *kept, sys.executable, *sys.argv])


def _give_back(folder: Path) -> None:
    """After sudo, let the person who called it own what was made below their home."""
    if owner := os.environ.get("SUDO_UID"):
        subprocess.run(["chown", "-R", f"{owner}:{os.environ['SUDO_GID']}", str(folder)], check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
