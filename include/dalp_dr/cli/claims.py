"""`claims`: may an RTO and RPO be published today? Exit code 0 only if so; made for a release pipeline."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dalp_dr import claims
from dalp_dr.cli import places
from dalp_dr.cli.verify import check
from dalp_dr.errors import InputError
from dalp_dr.evidence.verify import Verification
from dalp_dr.model import environment_file
from dalp_dr.text import seconds, visible


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "claims",
        help="what RTO and RPO may be published today",
        description="Exit code 0: a claim may be published; 1: none may; 2: usage or unreadable input.",
    )
    command.add_argument("--drills", type=Path, metavar="DIR", help="folder of drills (default: drills/ of the project's state)")
    command.add_argument("--environment", type=Path, metavar="FILE", help="today's environment file, to see what changed")
    command.add_argument(
        "--version", metavar="SHA256", help="today's code as provenance.json writes it (code_sha256), to see whether it changed"
    )
    command.add_argument("--key", type=Path, action="append", metavar="FILE", help="public key of the environment")
    command.add_argument("--ledger", type=Path, metavar="DIR", help="folder of the ledger; every drill must be in it")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    environment = environment_file.read(chosen.environment) if chosen.environment else None
    keys = places.public_keys(chosen.key)
    folders = sorted(
        p.parent for p in (chosen.drills or places.state() / "drills").glob("*/bundle/manifest.json") if not p.parent.parent.is_symlink()
    )
    history = [check(folder, keys, chosen.ledger) for folder in folders]
    history = of_one(history, environment.name if environment else None)
    result = claims.standing(history, datetime.now(UTC), environment, chosen.version)
    print(json.dumps(document(result, history), indent=2, sort_keys=True) if chosen.json else text(result, history))
    return 0 if result.publishable else 1


def of_one(history: list[Verification], name: str | None) -> list[Verification]:
    """The drills of one environment. Raises InputError when none is named and there are several."""
    names = sorted({v.dossier.plan.environment.name for v in history if v.dossier})
    if name is None and len(names) > 1:
        raise InputError(f"The drills are of {', '.join(names)}.", "Say whose claim you ask for with --environment FILE.")
    return [v for v in history if v.dossier is None or name in (None, v.dossier.plan.environment.name)]


def document(result: claims.Standing, history: list[Verification]) -> dict[str, Any]:
    return {"drills": len(history), **claims.document(result)}


def text(result: claims.Standing, history: list[Verification]) -> str:
    """The answer first, then why, then what is open."""
    claim = result.claim
    if claim is None:
        lines = [f"No RTO or RPO may be published ({len(history)} drills on record)."]
        lines += [f"because {why}" for why in result.not_earned_because]
    else:
        achieved = claim.achieved.get("rpo_by_surface") or {}
        lines = [
            ("May be published" if result.publishable else "Withdrawn") + f": {claim.environment}, proven by {claim.drill_id}, "
            f"signed by {claim.signed_by}, until {claim.expires_at[:10]}",
            f"RTO {seconds(claim.targets['rto_seconds'])} (achieved {seconds(claim.achieved.get('rto_seconds'))})",
            *(
                f"RPO {surface} {seconds(target)} (achieved {seconds(achieved.get(surface))})"
                for surface, target in claim.targets["rpo_seconds"].items()
            ),
            f"evidence {claim.bundle_sha256}",
        ]
        lines += [f"withdrawn because {why}" for why in result.withdrawn_because]
        lines += [f"note: {what}" for what in result.unknown]
    lines += [
        f"open since {r.since_drill}: {r.check} ({r.subject}) {r.verdict}. {r.next_step} See {r.runbook}" for r in result.open_reasons
    ]
    return "\n".join(visible(line) for line in lines)
