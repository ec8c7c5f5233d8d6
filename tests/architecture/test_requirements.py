"""Every direct dependency is pinned, says why it is there, and is in the lock as pinned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("requirements.txt", "requirements-dev.txt")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)(\[[a-z0-9,]+\])?==(?P<version>\S+)\s*(#\s*(?P<reason>\S.*))?$")


def canonical(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(file: str) -> list[str]:
    return [line for line in (ROOT / file).read_text().splitlines() if line.strip() and not line.startswith("#")]


def locked() -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;]+)", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    return {canonical(name): version for name, version in found}


LOCKED = locked()


@pytest.mark.parametrize("line", [line for file in FILES for line in lines(file)], ids=lambda text: text.split("=")[0])
def test_a_pin_is_exact_reasoned_and_locked(line: str) -> None:
    pin = PIN.match(line)
    assert pin, f"{line}: not `name==version  # reason`"
    assert pin["reason"], f"{line}: why is it needed?"
    assert LOCKED.get(canonical(pin["name"])) == pin["version"], "run `make lock`"


def test_every_locked_file_has_its_hash() -> None:
    text = (ROOT / "constraints.txt").read_text()
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [entry.split(" ", 1)[0] for entry in entries if "--hash=sha256:" not in entry] == []
