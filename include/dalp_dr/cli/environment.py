"""`environment check FILE` and `environment rbac FILE`: the environment file, before any drill reads it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from dalp_dr.isolation import rbac
from dalp_dr.model import environment_file
from dalp_dr.text import visible


def add_to(commands: Any) -> None:
    command = commands.add_parser("environment", help="check an environment file, or print the permissions it needs")
    parts = command.add_subparsers(dest="part", required=True, metavar="check|rbac")
    check = parts.add_parser("check", help="validate a file; complaints name line, field and what to do")
    check.set_defaults(run=run_check)
    permissions = parts.add_parser("rbac", help="the Kubernetes manifests an administrator applies once")
    permissions.add_argument("--side", choices=("both", "source", "sandbox"), default="both", help="which cluster they are for")
    permissions.set_defaults(run=run_rbac)
    for part in (check, permissions):
        part.add_argument("file", type=Path, metavar="FILE")
        part.add_argument("--json", action="store_true", help="print one JSON document")


def run_check(chosen: argparse.Namespace) -> int:
    environment = environment_file.read(chosen.file)
    digest = environment_file.digest(environment)
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
