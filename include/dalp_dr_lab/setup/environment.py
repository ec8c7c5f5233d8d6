"""The virtual environment of this checkout's lock, shared by all checkouts with the same lock and Python."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from dalp_dr_lab import state
from dalp_dr_lab.errors import LabError

UV = "uv==0.13.9"


def folder() -> Path:
    """The virtual environment's folder, named after the digest of constraints.txt and this Python's version."""
    lock = (state.checkout() / "constraints.txt").read_bytes()
    digest = hashlib.sha256(lock + sys.version.encode()).hexdigest()[:16]
    return state.caches() / f"venv-{digest}"


def is_ready() -> bool:
    """Whether the environment was made to its end."""
    return (folder() / "complete").exists()


def make() -> None:
    """Install the whole lock, every file checked against its hash (about 2 minutes the first time)."""
    target = folder()
    shutil.rmtree(target, ignore_errors=True)  # one that was cut short
    target.parent.mkdir(parents=True, exist_ok=True)
    uv = _uv()
    lock = state.checkout() / "constraints.txt"
    _run([str(uv), "venv", "--quiet", "--python", sys.executable, str(target)], "make a virtual environment")
    words = [str(uv), "pip", "install", "--quiet", "--python", str(target / "bin/python"), "--compile-bytecode"]
    _run([*words, "--require-hashes", "--requirement", str(lock)], "install the Python packages of constraints.txt")
    (target / "complete").touch()


def lock() -> None:
    """Compile requirements.txt and requirements-dev.txt into constraints.txt, with hashes, for every supported Python."""
    words = [str(_uv()), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11.2", "--generate-hashes"]
    words += ["--no-emit-index-url", "--custom-compile-command", "make lock", "--output-file", "constraints.txt"]
    _run([*words, "requirements.txt", "requirements-dev.txt"], "compile the lock", state.checkout())


def pip_environment(name: str, *packages: str) -> Path:
    """A small virtual environment for tools of set-up itself; returns its bin folder."""
    target = state.caches() / name
    if not (target / "complete").exists():
        shutil.rmtree(target, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(target)], "make a virtual environment")
        words = [str(target / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", *packages]
        _run(words, f"install {', '.join(packages)}")
        (target / "complete").touch()
    return target / "bin"


def _uv() -> Path:
    return pip_environment(f"setup-{UV.replace('==', '-')}", UV) / "uv"


def _run(words: list[str], what: str, cwd: Path | None = None) -> None:
    done = subprocess.run(words, text=True, capture_output=True, check=False, cwd=cwd, env={**os.environ, **_index()})
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        hint = "apt-get install python3-venv" if "ensurepip" in said else "check this machine's way to the package index"
        raise LabError(f"Cannot {what}:\n{said}\nTo go on: {hint}, then run the same command again.")


def _index() -> dict[str, str]:
    """uv does not read pip's configuration: hand over the index and the certificates that pip was given."""
    asked = {
        "global.index-url": "UV_DEFAULT_INDEX",
        "global.extra-index-url": "UV_INDEX",
        "global.cert": "SSL_CERT_FILE",
    }
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    found = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        if key in asked and asked[key] not in os.environ:
            found[asked[key]] = value.strip("'\"")
    return found
