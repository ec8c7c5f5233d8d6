"""`sign BUNDLE`: an owner's answer with the owner's own key, made outside Airflow."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dalp_dr import decide
from dalp_dr.cli import places
from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import after, archive, dsse, statement
from dalp_dr.evidence.bundle import Bundle
from dalp_dr.evidence.verify import Verification
from dalp_dr.evidence.verify import verify as verify_bundle
from dalp_dr.text import visible


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "sign",
        help="approve or reject a bundle with your own key",
        description="Checks the bundle first and refuses to sign what is not intact.",
    )
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of a bundle; the answer is put into its after/")
    command.add_argument("--as", dest="signer", required=True, metavar="USER", help="your user, as in the environment's owners")
    command.add_argument("--private-key", type=Path, required=True, metavar="FILE", help="your own ed25519 key (PEM)")
    command.add_argument("--key", type=Path, action="append", metavar="FILE", help="public key of the environment")
    command.add_argument("--reject", metavar="REASON", help="reject it, for this reason")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    bundle = archive.read_bundle(chosen.bundle)
    try:
        pem = chosen.private_key.read_bytes()
    except OSError as error:
        raise EvidenceError(f"{chosen.private_key}: cannot be read ({error.strerror}).", "Give your private key file.") from error
    result = verify_bundle(bundle, places.public_keys(chosen.key))
    answer, signed = sign(bundle, result, chosen.signer, pem, chosen.reject, datetime.now(UTC))
    root = chosen.bundle / "bundle" if (chosen.bundle / "bundle" / "manifest.json").is_file() else chosen.bundle
    signed.write(root.resolve())
    path = signed.after("sign_off")[-1][0]
    document = {
        "drill_id": answer.drill_id,
        "bundle_sha256": answer.bundle_sha256,
        "approved": answer.approved,
        "file": path,
    }
    print(
        json.dumps(document, indent=2)
        if chosen.json
        else visible(
            f"{answer.signer} {'approves' if answer.approved else 'rejects'} {answer.drill_id}, bundle {answer.bundle_sha256}: {path}"
        )
    )
    return 0


def sign(
    bundle: Bundle, result: Verification, signer: str, private_key_pem: bytes, rejection: str | None, now: datetime
) -> tuple[decide.SignOff, Bundle]:
    """The answer and the bundle with it. Raises EvidenceError for a bundle that is not intact or a key that is
    not the signer's.
    """
    if result.problems or result.dossier is None:
        raise EvidenceError(f"The bundle is not intact: {'; '.join(map(str, result.problems))}.", "Do not sign it.")
    plan = result.dossier.plan
    own = after.owner_keys(plan).get(signer)
    if own is None or own.key_id != dsse.public_of(private_key_pem).key_id:
        raise EvidenceError(
            f"The environment names no public key of {signer} that belongs to this private key.",
            "Put your public key into `owners[].public_key` of the environment file; it counts from the next drill.",
        )
    answer = decide.SignOff(
        plan.drill_id,
        result.bundle_sha256,
        signer,
        rejection is None,
        rejection or "",
        now.isoformat().replace("+00:00", "Z"),
        "owner_key",
        "owner",
    )
    return answer, bundle.with_after("sign_off", dsse.sign(statement.sign_off(answer), private_key_pem))
