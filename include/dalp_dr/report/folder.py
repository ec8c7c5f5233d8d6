"""The view of a bundle in the state folder, `drills/<drill id>/bundle`, with the drills beside it as its trend."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import archive, dsse
from dalp_dr.evidence.verify import Verification, verify
from dalp_dr.report import page


def view(bundle: Path, keys: Iterable[dsse.PublicKey] | None = None) -> page.View:
    """Verifies the bundle and judges its records anew.

    Without `keys` the state folder's own public key is taken. Raises EvidenceError when there is none, or no plan.
    """
    known = tuple(keys) if keys is not None else (_own_key(bundle.resolve().parents[2]),)
    return of_verified(verify(archive.read_bundle(bundle), known), bundle)


def of_verified(result: Verification, bundle: Path) -> page.View:
    """The view of a bundle that was verified already. Raises EvidenceError when its plan cannot be read."""
    if result.dossier is None:
        raise EvidenceError(f"{bundle.name}: {'; '.join(map(str, result.problems))}.", "Run verify; there is nothing to report.")
    return page.of(result, earlier(bundle.resolve().parents[1]))


def _own_key(state: Path) -> dsse.PublicKey:
    path = state / "keys" / "evidence.pub"
    try:
        return dsse.PublicKey.from_pem(path.read_bytes())
    except OSError as error:
        raise EvidenceError(
            f"{path.name}: the public key of this project cannot be read ({error.strerror}).",
            "Put the environment's public key into keys/evidence.pub of the state folder, or give the key.",
        ) from error


def earlier(drills: Path) -> list[dict[str, Any]]:
    """Summaries of the drills kept in a folder, for the trend; unreadable ones are left out of the picture."""
    found = []
    for path in sorted(drills.glob("d-*/summary.json")):
        try:
            content = json.loads(path.read_bytes())
        except ValueError:
            continue
        if isinstance(content, dict):
            found.append(content)
    return found
