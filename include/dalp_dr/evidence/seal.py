"""The seal: one signed statement over the manifest of a bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical, dsse, manifest, statement
from dalp_dr.evidence.bundle import PLAN, STATEMENT, VERDICT, Bundle

CLOCK = "not attested"  # the time is the sealing worker's own; no time-stamping authority vouched for it


def seal(bundle: Bundle, private_key_pem: bytes | str, sealed_at: str) -> Bundle:
    """The bundle with its signed statement. `sealed_at`: UTC, RFC 3339, clock of the caller."""
    if bundle.is_sealed:
        raise EvidenceError("The bundle is sealed already.", "Build a new attempt that names this one as the previous.")
    envelope = dsse.sign(statement.about_bundle(bundle.manifest_sha256, statement.BUNDLE, _predicate(bundle, sealed_at)), private_key_pem)
    return replace(bundle, files={**bundle.files, STATEMENT: envelope})


def _predicate(bundle: Bundle, sealed_at: str) -> dict[str, Any]:
    listing: manifest.Manifest = bundle.read_manifest()
    verdict = canonical.loads(bundle.files[VERDICT], VERDICT)
    return {
        "schema_version": 1,
        "drill_id": listing.drill_id,
        "attempt": listing.attempt,
        "previous": listing.previous,
        "plan_sha256": listing.digest_of(PLAN),
        "verdict": verdict["verdict"],
        "decision": verdict["decision"],
        "outcome": verdict["outcome"],
        "sealed_at": sealed_at,
        "clock": CLOCK,
    }
