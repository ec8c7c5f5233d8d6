"""Which keys may sign: the one that signed the ledger's first entry, and those that later entries added and did not revoke.

A new key is added by an entry that a trusted key signs, and only then put into the connection; the old one is revoked by
an entry that another trusted key signs. So whoever holds the first public key can follow every change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dalp_dr.errors import EvidenceError, InputError, RefusedError
from dalp_dr.evidence import dsse, ledger
from dalp_dr.evidence.store import EvidenceStore

OWNER = "keys"  # stands where a drill's entries carry the drill id
_CHANGES = ("-key_added.json", "-key_revoked.json")


@dataclass(frozen=True)
class Keyring:
    """Keys by id as the ledger's own entries leave them; `revoked` maps an id to the entry that revoked it."""

    trusted: dict[str, dsse.PublicKey]
    revoked: dict[str, str]


def keyring(store: EvidenceStore, roots: Iterable[dsse.PublicKey]) -> Keyring:
    """Follows the ledger from its first entry, which one of `roots` must have signed. EvidenceError when none did."""
    names, given = store.list(ledger.PREFIX), tuple(roots)
    if not names:
        return Keyring({key.key_id: key for key in given}, {})
    first = dsse.open_envelope(store.get(names[0]), given, names[0]).key_id
    ring = Keyring({key.key_id: key for key in given if key.key_id == first}, {})
    for name in names:
        if name.endswith(_CHANGES):
            _follow(ring, store, name)
    return ring


def _follow(ring: Keyring, store: EvidenceStore, name: str) -> None:
    signer, entry = dsse.open_envelope(store.get(name), ring.trusted.values(), name).key_id, ledger.read(store, name)
    if signer in ring.revoked:
        raise EvidenceError(f"{name} is signed by key {signer}, which {ring.revoked[signer]} revoked.", "Find out who holds that key.")
    if entry.kind == "key_added":
        key = dsse.PublicKey.from_pem(str(entry.payload.get("public_key")))
        ring.trusted[key.key_id] = key
    else:
        ring.revoked.setdefault(str(entry.payload.get("key_id")), name)


def refuse_stranger(store: EvidenceStore, private_key_pem: bytes | str, older: Iterable[dsse.PublicKey] = ()) -> None:
    """Nothing when the key may sign the next entry; RefusedError when the ledger does not know it, or revoked it.

    `older`: public keys that the environment trusted before, the ledger's first among them.
    """
    own = dsse.public_of(private_key_pem)
    try:
        ring = keyring(store, (own, *older))
    except EvidenceError as error:
        raise RefusedError(
            f"The ledger cannot be followed to the signing key {own.key_id}: {error}",
            "Put the ledger's own key into the connection; after a change of keys give its first public key as trusted_keys in the extra.",
        ) from error
    if own.key_id in ring.revoked:
        raise RefusedError(
            f"The signing key {own.key_id} was revoked by {ring.revoked[own.key_id]}.", "Put the key that replaced it into the connection."
        )
    if own.key_id not in ring.trusted:
        raise RefusedError(
            f"The ledger does not know the signing key {own.key_id}.",
            "Put the ledger's own key back, add this one with the workflow evidence_keys, then change the connection.",
        )


@dataclass(frozen=True)
class Change:
    """Who changes the keys, why and when (UTC, RFC 3339), with which private key; `older` as for `refuse_stranger`."""

    by: str
    why: str
    at: str
    private_key_pem: bytes | str
    older: tuple[dsse.PublicKey, ...] = ()

    def add(self, store: EvidenceStore, public_key_pem: str) -> ledger.Entry:
        """Enters a key that may sign from now on. Raises EvidenceError when it is no ed25519 public key."""
        key = dsse.PublicKey.from_pem(public_key_pem)
        return self._enter(store, "key_added", {"key_id": key.key_id, "public_key": key.pem().decode()})

    def revoke(self, store: EvidenceStore, key_id: str) -> ledger.Entry:
        """Enters that a key may not sign any more. Raises InputError when the ledger has no such key, or it would sign this."""
        if key_id == dsse.public_of(self.private_key_pem).key_id:
            raise InputError(
                f"{key_id} is the key in the connection; nobody could sign after it.",
                "Add another key, put it into the connection, then revoke this one.",
            )
        refuse_stranger(store, self.private_key_pem, self.older)
        if key_id not in keyring(store, (dsse.public_of(self.private_key_pem), *self.older)).trusted:
            raise InputError(f"The ledger trusts no key {key_id!r}.", "Give the key id as `verify` prints it.")
        return self._enter(store, "key_revoked", {"key_id": key_id})

    def _enter(self, store: EvidenceStore, kind: str, payload: dict[str, Any]) -> ledger.Entry:
        if not self.why.strip():
            raise InputError("Keys are changed for a reason, and none was given.", "Say why, in the field reason.")
        refuse_stranger(store, self.private_key_pem, self.older)
        said = {**payload, "reason": self.why.strip(), "by": self.by}
        return ledger.append(store, kind, OWNER, said, self.private_key_pem, self.at)
