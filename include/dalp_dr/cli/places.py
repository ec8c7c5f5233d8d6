"""Where the commands look when they are not told: `.dalp-dr/` here, or $DALP_DR_HOME."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.x509 import Certificate

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import dsse, timestamp


def state() -> Path:
    """The folder of the project's state."""
    return Path(os.environ.get("DALP_DR_HOME") or ".dalp-dr")


def public_keys(given: list[Path] | None) -> tuple[dsse.PublicKey, ...]:
    """The keys in the given files, or the one of this project. Raises EvidenceError when there is none."""
    files = given or [state() / "keys" / "evidence.pub"]
    found = []
    for file in files:
        try:
            found.append(dsse.PublicKey.from_pem(file.read_bytes()))
        except OSError as error:
            raise EvidenceError(
                f"{file}: the public key cannot be read ({error.strerror}).",
                "Give the environment's public key with --key FILE.",
            ) from error
    return tuple(found)


def authorities(given: list[Path] | None) -> tuple[Certificate, ...]:
    """The root certificates in the given files. Raises EvidenceError when one cannot be read."""
    found: list[Certificate] = []
    for file in given or []:
        try:
            found += timestamp.certificates(file.read_bytes())
        except OSError as error:
            raise EvidenceError(f"{file}: the certificate cannot be read ({error.strerror}).", "Give a PEM file.") from error
    return tuple(found)
