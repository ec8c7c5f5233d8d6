"""Runs the two programs hooks need (git, helm): bounded in time, with an environment of its own, errors without
secrets.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks.errors import CallError, NoAnswer, redact

_KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)


def program(name: str, variable: str) -> str:
    """Path of a program: from an environment variable, else from PATH. InputError when there is none."""
    chosen = os.environ.get(variable)
    found = shutil.which(chosen or name)
    if found:
        return found
    raise InputError(
        f"{variable} names {chosen}, which is no program." if chosen else f"There is no program {name} on the worker.",
        f"Install {name}, or let {variable} name it. `make setup` does both in the lab.",
    )


def run(
    command: Sequence[str],
    what: str,
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_seconds: float = 60,
) -> bytes:
    """Standard output. CallError with the program's own words on another exit code than 0, NoAnswer beyond the time."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            cwd=cwd,
            env={**kept, **(environment or {})},
            timeout=timeout_seconds,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoAnswer(
            f"Could not {what}: {Path(command[0]).name} did not end within {timeout_seconds:.0f} s.",
            "Look whether the repository can be reached from the worker.",
            transient=True,
        ) from None
    if done.returncode:
        said = redact(done.stderr.decode(errors="replace").strip())[-1000:]
        raise CallError(f"Could not {what}: {said or f'exit code {done.returncode}'}", "Read the program's own message.")
    return done.stdout
