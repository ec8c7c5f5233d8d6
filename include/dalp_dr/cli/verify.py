"""`verify BUNDLE`: is this evidence intact, and does it say READY?"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from dalp_dr.cli import places
from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import archive, canonical, dsse, ledger_verification, manifest
from dalp_dr.evidence.problem import Problem
from dalp_dr.evidence.verify import Verification
from dalp_dr.evidence.verify import verify as verify_bundle
from dalp_dr.model.check import Verdict
from dalp_dr.text import visible

_DRILL_FOLDER = re.compile(r"^d-\d{8}-[0-9a-f]{8}$")


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "verify",
        help="check a bundle offline and judge its records anew",
        description="Exit code 0: intact and READY; 1: intact, not READY; 2: unreadable; 3: not intact.",
    )
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder, tar or zip archive")
    command.add_argument("--key", type=Path, action="append", metavar="FILE", help="public key (PEM); may be given more than once")
    command.add_argument("--ledger", type=Path, metavar="DIR", help="folder of the ledger")
    command.add_argument("--head", metavar="SHA256", help="digest of the newest ledger entry, as a second custodian kept it")
    command.add_argument("--drill-id", metavar="ID", help="the drill this must be the evidence of")
    command.add_argument(
        "--timestamp-root", type=Path, action="append", metavar="FILE", help="root certificate (PEM) of a time-stamping authority you trust"
    )
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    keys, roots = places.public_keys(chosen.key), places.authorities(chosen.timestamp_root)
    result = check(chosen.bundle, keys, chosen.ledger, chosen.head, chosen.drill_id, authorities=roots)
    print(json.dumps(result.to_dict(), indent=2, sort_keys=True) if chosen.json else text(result))
    return result.exit_code


def check(
    path: Path,
    keys: tuple[dsse.PublicKey, ...],
    ledger: Path | None = None,
    head: str | None = None,
    drill_id: str | None = None,
    **catalogue: Any,
) -> Verification:
    """Bundle and, when given, its ledger. Raises EvidenceError when either cannot be read at all."""
    bundle = archive.read_bundle(path)
    expected = drill_id or next((p.name for p in (path.resolve(), *path.resolve().parents[:1]) if _DRILL_FOLDER.match(p.name)), None)
    if ledger is None:
        result = verify_bundle(bundle, keys, expected, **catalogue)
        return result.with_more(_superseded(path, result), ("ledger not checked; give it with --ledger",))
    found = ledger_verification.check(ledger_verification.read_folder(ledger), keys, head)
    result = verify_bundle(bundle, found.keys.values(), expected, **catalogue)
    place = ledger_verification.bundle_problems(found, bundle, result.key_id) if result.attempt is not None else ()
    return result.with_more([*found.problems, *place], found.notes)


def _superseded(path: Path, result: Verification) -> list[Problem]:
    """A bundle beside this one that names it as the one before: what it said does not count any more."""
    problems = []
    for listing in sorted(path.resolve().parent.glob(f"*/{manifest.NAME}")):
        try:
            later = manifest.decode(listing.read_bytes())
        except (OSError, EvidenceError):
            continue  # that one is not the one asked about
        if later.previous == result.bundle_sha256 and later.drill_id == result.drill_id:
            digest = canonical.sha256(listing.read_bytes())
            problems.append(Problem(listing.parent.name, f"is a later attempt of this drill ({digest[:16]}); it counts, not this one"))
    return problems


def text(result: Verification) -> str:
    """What a person reads: the answer first, then one line for each problem, reason and note."""
    if not result.intact:
        head = f"NOT INTACT  {result.drill_id or 'unknown drill'}  {len(result.problems)} problems"
    else:
        signed = f"intact, signed by key {result.key_id}"
        head = f"{result.decision.value}  {result.drill_id}  attempt {result.attempt}  {signed}"
    lines = [head, f"bundle {result.bundle_sha256}"]
    if result.dossier is not None:
        outcomes = result.dossier.outcomes()
        passed = sum(o.result.verdict is Verdict.PASS for o in outcomes)
        rows = result.dossier.seed_rows()
        lines.append(
            f"{passed} of {len(outcomes)} checks pass, {sum(not r.missing for r in rows)} of {len(rows)} evidence rows "
            "have facts; judged anew from the records"
        )
    lines += [f"problem: {problem}" for problem in result.problems]
    if result.intact and result.proposal is not None:
        lines += [
            f"{r.verdict.value}: {r.check} ({r.subject}): expected {r.expected}; observed {r.observed}. {r.next_step} See {r.runbook}"
            for r in result.proposal.reasons
        ]
        if result.sign_off_problem:
            lines.append(f"sign-off: {result.sign_off_problem}")
    lines += [f"note: {note}" for note in result.notes]
    return "\n".join(visible(line) for line in lines)
