"""The environment of the tools we compare with: made once for a list of them, beside the project's own caches."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

LIST = Path(__file__).with_name("peers.txt")


def python() -> Path:
    """The interpreter that has the tools of peers.txt; made when it is not there."""
    home = Path.home() / ".cache" / "dalp-dr" / f"peers-{hashlib.sha256(LIST.read_bytes()).hexdigest()[:16]}"
    interpreter = home / "bin" / "python"
    if not (home / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(interpreter), "-m", "pip", "install", "--quiet", "--requirement", str(LIST)], check=True)
        (home / "complete").touch()
    return interpreter
