"""Secrets from the escrow: does it open, does it hold what the rendered releases need, and is it of today?

The escrow is one object: a Kubernetes List of Secrets in CMS enveloped data (RFC 5652, AES-256-CBC, RSA), as
`openssl cms -encrypt` writes it. Production holds only the certificate. Values never enter the facts.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs7

from dalp_dr.errors import FactError, InputError
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan, utc

REFERENCES = ("secretKeyRef", "secretRef", "passwordSecret", "accessKeyId", "secretAccessKey")  # {name, key?} below these


@dataclass(frozen=True)
class Held:
    """One Secret: where it belongs and which keys it has."""

    namespace: str
    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class EscrowFacts:
    """The escrow beside what is needed and what the backups hold; no value of any Secret.

    `written_at`: clock of the store. `compared`: Secrets that are in escrow and backup both; `differing`: those of them
    whose values are not the same. `in_backup`: needed Secrets that the backups hold as well.
    """

    bucket: str
    key: str
    version_id: str
    written_at: str
    size_bytes: int
    needed: tuple[Held, ...]
    held: tuple[Held, ...]
    compared: int
    differing: tuple[str, ...]


def opened(data: bytes, certificate_pem: str, key_pem: str) -> list[dict[str, Any]]:
    """The Secrets in an escrow. Raises InputError for an unusable key, FactError when it cannot be opened or read."""
    try:
        key = serialization.load_pem_private_key(key_pem.encode(), None)
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    except (ValueError, TypeError) as error:
        raise InputError(
            f"The escrow's key or certificate cannot be read ({type(error).__name__}).", "Correct the connection of the escrow's key."
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise InputError("The escrow's key is not an RSA key.", "Seal and open the escrow with an RSA certificate.")
    try:
        found = json.loads(pkcs7.pkcs7_decrypt_der(data, certificate, key, []))
        items = [item for item in found["items"] if item["kind"] == "Secret"]
        held(items)
    except (ValueError, TypeError, KeyError) as error:
        raise FactError(
            f"The escrow cannot be opened with this key, or holds no list of Secrets ({type(error).__name__}).",
            "Seal it again for the custodian's certificate: docs/how-to/annual-test.md.",
        ) from None
    return items


def needed(role_namespace: str, manifests: Iterable[Mapping[str, Any]], made_elsewhere: Iterable[str]) -> tuple[Held, ...]:
    """Every Secret that rendered manifests refer to with the keys they read, less those the release makes itself.

    `made_elsewhere`: names that operators make (the database's own).
    """
    listed = list(manifests)
    own = {m["metadata"]["name"] for m in listed if m["kind"] == "Secret"} | set(made_elsewhere)
    found: dict[str, set[str]] = {}
    for name, key in (reference for manifest in listed for reference in _references(manifest)):
        if name not in own:
            found.setdefault(name, set()).update({key} if key else ())
    return tuple(Held(role_namespace, name, tuple(sorted(keys))) for name, keys in sorted(found.items()))


def _references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        if name == "secretName" and isinstance(inner, str):
            yield inner, ""
        elif name in REFERENCES and isinstance(inner, dict) and isinstance(inner.get("name"), str):
            yield inner["name"], str(inner.get("key") or "")
        elif name == "imagePullSecrets" and isinstance(inner, list):
            yield from ((str(i["name"]), "") for i in inner)
        else:
            yield from _references(inner)


def held(secrets: Iterable[Mapping[str, Any]]) -> tuple[Held, ...]:
    """What an escrow holds, without values."""
    named = [(s["metadata"]["namespace"], s["metadata"]["name"], tuple(sorted(_values(s)))) for s in secrets]
    return tuple(Held(*one) for one in sorted(named))


def compared(escrow: Iterable[Mapping[str, Any]], backup: Iterable[Mapping[str, Any]]) -> tuple[int, tuple[str, ...]]:
    """(Secrets in both, those whose values differ)."""
    first, second = ({(s["metadata"]["namespace"], s["metadata"]["name"]): _values(s) for s in side} for side in (escrow, backup))
    both = sorted(first.keys() & second.keys())
    return len(both), tuple("/".join(name) for name in both if first[name] != second[name])


def _values(secret: Mapping[str, Any]) -> dict[str, bytes]:
    return {key: base64.b64decode(value or "") for key, value in (secret.get("data") or {}).items()}


def escrow_complete(facts: EscrowFacts, plan: DrillPlan) -> CheckResult:
    """Every Secret that the rendered releases refer to, with the keys they read, is in the escrow."""
    if not facts.needed:
        return inconclusive("Secrets that the rendered releases refer to", "they refer to none: nothing was compared")
    have = {(h.namespace, h.name): set(h.keys) for h in facts.held}
    wrong = [f"{n.namespace}/{n.name} is not in the escrow" for n in facts.needed if (n.namespace, n.name) not in have]
    wrong += [
        f"{n.namespace}/{n.name}: key {key} is not in the escrow"
        for n in facts.needed
        for key in sorted(set(n.keys) - have.get((n.namespace, n.name), set(n.keys)))
    ]
    return expect(not wrong, f"{len(facts.needed)} needed Secrets in the escrow", f"{len(facts.held)} held, {len(wrong)} missing", wrong)


def escrow_current(facts: EscrowFacts, plan: DrillPlan) -> CheckResult:
    """The escrow was written before the incident, and its values are those of the backups, where these hold the Secret too."""
    expected = f"an escrow from before {plan.incident_time} with the values of the backups"
    if not facts.compared:
        return inconclusive(expected, "no Secret is in escrow and backup both: nothing was compared")
    wrong = [f"{name} has another value than in the backup" for name in facts.differing]
    if utc(facts.written_at) > utc(plan.incident_time):
        wrong.append(f"written {facts.written_at}, after the incident")
    return expect(
        not wrong, expected, f"written {facts.written_at}; {facts.compared} Secrets compared, {len(facts.differing)} differ", wrong
    )
