"""The committed result of the fault matrix, docs/faults.json, its table docs/faults.md, and whether they are stale."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dalp_dr_lab.faults.fault import Fault

RESULT, TABLE = "docs/faults.json", "docs/faults.md"
CODE = ("dags", "plugins", "include/dalp_dr", "include/dalp_dr_lab", "include/environments", "include/sql", "include/rbac")
READ = (".py", ".sql", ".yaml", ".j2")
HEAD = """# Named faults and what a drill says of them

Written by `python -m dalp_dr_lab matrix --publish` from the newest result of `make faults`; not edited by hand.
`python -m dalp_dr_lab faults` lists the same faults. Faults found in one drill are found each by a check of its own.
"Decision" is what the whole drill came to, "named by" the checks that this fault alone explains there.
"""


def code_digest(checkout: Path) -> str:
    """sha256 over every file that a drill and its faults run by."""
    found = hashlib.sha256()
    for folder in CODE:
        for file in sorted((checkout / folder).rglob("*")):
            if file.suffix in READ:
                found.update(f"{file.relative_to(checkout).as_posix()}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def publish(checkout: Path, rows: Sequence[Mapping[str, Any]], faults: Iterable[Fault]) -> None:
    """Write both files. A fault that was not run stands in them as not run; rows of faults that are no more are left out."""
    every = list(faults)
    known = {row["fault"]: row for row in rows}
    kept = [known.get(fault.name) or {"fault": fault.name, "expected": fault.outcome, "passed": None, "code": ""} for fault in every]
    (checkout / RESULT).write_text(json.dumps(kept, indent=1) + "\n")
    (checkout / TABLE).write_text(table(kept, every))


def table(rows: Sequence[Mapping[str, Any]], faults: Iterable[Fault]) -> str:
    """The page: one line for each fault, those that were not run included."""
    known = {row["fault"]: row for row in rows}
    lines = [HEAD, "| fault | what is broken | must end | seen | decision | named by |", "|---|---|---|---|---|---|"]
    for fault in sorted(faults, key=lambda one: one.name):
        row = known.get(fault.name)
        if row is None or row["passed"] is None:
            seen, decision, named = "not run", "", ""
        else:
            seen = "found" if row["passed"] else "NOT FOUND"
            refused = ", refused" if row["outcome"] == "refused" else ""
            decision, named = f"{row['decision'] or 'none'}{refused}", ", ".join(f"`{check}`" for check in row["named"])
        must = f"{fault.outcome}, {' or '.join(f'`{check}`' for check in fault.checks)} {fault.verdict}"
        lines.append(f"| {fault.name} | {fault.sentence} | {must} | {seen} | {decision} | {named} |")
    ran = [row for row in rows if row["passed"] is not None]
    drills = {tuple(sorted([row["fault"], *row["together_with"]])): row["seconds"] for row in ran}
    found = sum(bool(row["passed"]) for row in ran)
    minutes = sum(drills.values()) / 60
    lines += [
        "",
        f"{found} of {len(ran)} faults found in {len(drills)} drills, {minutes:.0f} minutes in all; {len(rows) - len(ran)} not run.",
    ]
    return "\n".join(lines) + "\n"


def stale(checkout: Path) -> str | None:
    """One sentence when the committed result was made by other code than is here, or is not there; None when it is new."""
    path = checkout / RESULT
    if not path.exists():
        return f"{RESULT} is missing: the fault matrix was never published. Run `make faults`."
    codes = {row["code"] for row in json.loads(path.read_text())}
    if codes == {code_digest(checkout)}:
        return None
    return f"{RESULT} was made by other code than is here. Run `make faults`, then `python -m dalp_dr_lab matrix --publish`."
