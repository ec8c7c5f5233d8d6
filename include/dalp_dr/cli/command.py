"""Arguments of `python -m dalp_dr`. Exit codes: 0 well, 1 not READY or nothing valid, 2 usage or unreadable, 3
not intact.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from dalp_dr.cli import claims, environment, report, schema, sign, stop, verify
from dalp_dr.errors import DrillError
from dalp_dr.text import visible

USAGE_ERROR = 2


def parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    top = argparse.ArgumentParser(prog="python -m dalp_dr", description="Evidence of recovery drills: check, show, sign.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for part in (verify, report, claims, schema, environment, sign, stop):
        part.add_to(commands)
    for name, command in commands.choices.items():
        if name != "environment":
            command.add_argument("--json", action="store_true", help="print one JSON document")
    return top


def main(words: Sequence[str]) -> int:
    """Runs one command and returns its exit code."""
    chosen = parser().parse_args(words)
    try:
        code: int = chosen.run(chosen)
    except DrillError as error:
        if getattr(chosen, "json", False):
            show_json({"error": str(error), "next_step": error.next_step, "exit_code": USAGE_ERROR})
        for line in error.diagnostics().splitlines():
            print(visible(line), file=sys.stderr)
        return USAGE_ERROR
    return code


def show_json(document: Any) -> None:
    """One JSON document on standard output, ASCII only, so that no terminal is moved by a name in it."""
    print(json.dumps(document, indent=2, sort_keys=True))
