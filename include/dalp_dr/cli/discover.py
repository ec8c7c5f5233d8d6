"""`environment discover`: a draft environment file from what a cluster shows, read by the `kubectl` program and nothing else."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from dalp_dr.discovery import draft, found
from dalp_dr.errors import FactError, InputError
from dalp_dr.model import environment_file
from dalp_dr.text import visible

TIMEOUT_SECONDS = 60
KINDS = (
    "deployments.apps",
    "statefulsets.apps",
    "services",
    "pods",
    "ingresses.networking.k8s.io",
    "clusters.postgresql.cnpg.io",
    "objectstores.barmancloud.cnpg.io",
)


def add_to(parts: Any) -> None:
    command = parts.add_parser(
        "discover",
        help="read a cluster and write a draft environment file with its open questions",
        description="Only `kubectl get` is run, with the kubeconfig and context you give; no Secret is read.",
    )
    command.add_argument("--name", required=True, help="name of the environment")
    command.add_argument("--kubeconfig", type=Path, metavar="FILE")
    command.add_argument("--context", metavar="NAME")
    command.add_argument("--namespace", action="append", default=[], metavar="NAME", help="instead of those that Velero's schedules name")
    command.add_argument("--velero-namespace", default="velero", metavar="NAME")
    command.add_argument("--output", type=Path, metavar="FILE", help="write here, if nothing is there yet; else to standard output")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """0 when a draft was written."""
    unseen: list[str] = []
    schedules = get(chosen, "schedules.velero.io", chosen.velero_namespace, unseen)
    locations = get(chosen, "backupstoragelocations.velero.io", chosen.velero_namespace, unseen)
    names = tuple(chosen.namespace) or found.source_namespaces(schedules)
    if not names:
        raise FactError("No Velero schedule names a namespace." + "".join(f" {u}." for u in unseen), "Name them: --namespace NAME.")
    objects = {n: [o for kind in KINDS for o in get(chosen, kind, n, unseen)] for n in names}
    text = draft.render(found.read(schedules, locations, objects), chosen.name)
    text += "".join(f"{draft.MARK} not seen: {visible(u)}\n" for u in unseen)
    environment_file.parse(text.encode(), f"{chosen.name}.yaml")  # a draft that is not even valid in form helps nobody
    write(chosen.output, text)
    print(f"{len(names)} namespaces, {len(draft.open_questions(text))} open questions.", file=sys.stderr)
    return 0


def get(chosen: argparse.Namespace, kind: str, namespace: str, unseen: list[str]) -> list[dict[str, Any]]:
    """Objects of one kind in one namespace; what could not be read is added to `unseen`."""
    program = shutil.which("kubectl")
    if program is None:
        raise InputError("There is no kubectl on this machine.", "Install it, or run this where it is.")
    words = [program, "get", kind, "--namespace", namespace, "--output", "json", f"--request-timeout={TIMEOUT_SECONDS}s"]
    words += [f"--kubeconfig={chosen.kubeconfig}"] if chosen.kubeconfig else []
    words += [f"--context={chosen.context}"] if chosen.context else []
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=2 * TIMEOUT_SECONDS, check=False, env=dict(os.environ))
        items = json.loads(done.stdout)["items"] if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        unseen.append(f"{kind} in {namespace} ({type(error).__name__})")
        return []
    if items is None:
        unseen.append(f"{kind} in {namespace} ({done.stderr.strip()[:200]})")
        return []
    return [dict(i) for i in items]


def write(output: Path | None, text: str) -> None:
    """Never over a file that is there: somebody may have answered its questions."""
    if output is None:
        print(text, end="")
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"{output.name} exists.", "Move it away, or choose another name.") from None
