"""Named faults: `python -m dalp_dr_lab break NAME[,NAME] | mend | faults`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from dalp_dr_lab.lab import Lab


def main(argv: Sequence[str]) -> int:
    """Run one of the three commands; `--json` prints for a machine."""
    from dalp_dr_lab import owner
    from dalp_dr_lab.faults import record, registry

    parser = argparse.ArgumentParser(prog="python -m dalp_dr_lab", description="Break the lab by ordinary means, and mend it.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("break").add_argument("names", nargs="+", metavar="NAME[,NAME]")
    for name in ("mend", "faults"):
        commands.add_parser(name)
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true")
    given = parser.parse_args(list(argv))
    lab = Lab.load()
    if given.command == "faults":
        active = {one.name: one.since for one in record.read(lab)}
        listing = [
            {"fault": fault.name, "sentence": fault.sentence, "checks": list(fault.checks), "outcome": fault.outcome,
             "verdict": fault.verdict, "group": fault.group, "active_since": active.get(fault.name)}
            for fault in registry.FAULTS.values()
        ]  # fmt: skip
        lines = [
            f"{'*' if item['active_since'] else ' '} {item['fault']:<22}{item['outcome']:<9}{item['sentence']}\n"
            f"{'':<33}{item['verdict']}: {' or '.join(item['checks'])}"
            for item in listing
        ]
        print(json.dumps(listing) if given.json else "\n".join(lines))
        return 0
    with owner.one_at_a_time(lab):
        if given.command == "break":
            names = [part.strip() for word in given.names for part in word.split(",") if part.strip()]
            names = [one.name for one in registry.break_lab(lab, names)]
        else:
            names = registry.mend(lab)
    words = {"break": "Active faults", "mend": "Mended"}[given.command]
    print(json.dumps({given.command: names}) if given.json else f"{words}: {', '.join(names) or 'none'}")
    return 0
