"""`environment check|rbac FILE` and `environment audit FILE LOG`: the environment file, and the permissions that follow from it.

`check --live` also asks plan and preflight, in the module LIVE on Airflow's side.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dalp_dr.cli import airflow_side, discover
from dalp_dr.discovery import draft
from dalp_dr.errors import InputError
from dalp_dr.isolation import audit_log, rbac
from dalp_dr.model import environment_file
from dalp_dr.text import visible

LIVE = "dalp_dr_airflow.live_check"


def add_to(commands: Any) -> None:
    command = commands.add_parser("environment", help="draft and check an environment file, or print the permissions it needs")
    parts = command.add_subparsers(dest="part", required=True, metavar="check|rbac|audit|discover")
    check = parts.add_parser("check", help="validate a file; complaints name line, field and what to do")
    check.add_argument(
        "--live",
        action="store_true",
        help="ask plan and preflight too, with the Airflow connections of this machine; makes nothing, prints what to fix",
    )
    check.set_defaults(run=run_check)
    discover.add_to(parts)
    permissions = parts.add_parser("rbac", help="the Kubernetes manifests an administrator applies once")
    permissions.add_argument("--side", choices=("both", "source", "sandbox"), default="both", help="which cluster they are for")
    permissions.set_defaults(run=run_rbac)
    audit = parts.add_parser("audit", help="compare the API server's audit log of a drill with the permissions")
    audit.set_defaults(run=run_audit)
    for part in (check, permissions, audit):
        part.add_argument("file", type=Path, metavar="FILE")
        part.add_argument("--json", action="store_true", help="print one JSON document")
    audit.add_argument("log", type=Path, metavar="LOG", help="the API server's audit log, JSON format")


def run_check(chosen: argparse.Namespace) -> int:
    """Raises InputError while a question of a draft is open."""
    environment = environment_file.read(chosen.file)
    if questions := draft.open_questions(chosen.file.read_text(encoding="utf-8")):
        told = "\n".join(f"{chosen.file.name}:{line}: {question}" for line, question in questions)
        raise InputError(f"{told}\n{len(questions)} questions are open.", "Answer each in the file, then delete its line.")
    digest = environment_file.digest(environment)
    if chosen.live:
        return airflow_side.run(LIVE, [str(chosen.file), *(["--json"] if chosen.json else [])])
    if chosen.json:
        print(json.dumps({"name": environment.name, "digest": digest, "valid": True}, indent=2))
    else:
        print(visible(f"{chosen.file.name}: environment {environment.name} is valid, digest {digest}"))
    return 0


def run_rbac(chosen: argparse.Namespace) -> int:
    environment = environment_file.read(chosen.file)
    if chosen.json:
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": rbac.manifests(environment, chosen.side)}, indent=2))
    else:
        print(rbac.render(environment, chosen.side), end="")
    return 0


def run_audit(chosen: argparse.Namespace) -> int:
    """0 where the calls are the permissions; 1 with each that is not named, or never called."""
    environment = environment_file.read(chosen.file)
    with chosen.log.open(encoding="utf-8") as lines:
        found = audit_log.compare(lines, environment)
    if chosen.json:
        print(json.dumps(asdict(found), indent=2))
    else:
        for said, rows in (("called, and nowhere named", found.unnamed), ("granted, and not called", found.uncalled)):
            print("".join(f"{said}: {visible(row)}\n" for row in rows), end="")
        print(f"{found.calls} calls: {len(found.unnamed)} not named, {len(found.uncalled)} permissions not called")
    return 1 if found.unnamed or found.uncalled or not found.calls else 0
