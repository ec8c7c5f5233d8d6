"""Signing keys change by entries of the ledger, and a key that it does not know starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dalp_dr.errors import EvidenceError, InputError, RefusedError
from dalp_dr.evidence import dsse, keys, ledger, ledger_verification
from dalp_dr.evidence.store import FolderStore
from synthetic_drill import KEY, OTHER_KEY, PUBLIC, SEALED_AT, a_plan, decided, enter, private_pem, public_pem, sealed

OLD, NEW, STRANGER = private_pem(KEY), private_pem(OTHER_KEY), private_pem(Ed25519PrivateKey.generate())
NEW_PUBLIC = dsse.public_of(NEW)


def change(key: str, *older: dsse.PublicKey, why: str = "yearly change") -> keys.Change:
    return keys.Change("sam", why, SEALED_AT, key, older)


def add(store: FolderStore, key: str | bytes = OLD) -> None:
    payload = {"key_id": NEW_PUBLIC.key_id, "public_key": public_pem(OTHER_KEY), "reason": "yearly change", "by": "sam"}
    ledger.append(store, "key_added", keys.OWNER, payload, key, SEALED_AT)


def revoke(store: FolderStore, key: str | bytes = NEW, key_id: str = PUBLIC.key_id) -> None:
    ledger.append(store, "key_revoked", keys.OWNER, {"key_id": key_id, "reason": "yearly change", "by": "sam"}, key, SEALED_AT)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A ledger with one drill, signed by the old key."""
    made = FolderStore(tmp_path)
    enter(made, decided(sealed(a_plan("one"))))
    return made


def files(store: FolderStore) -> dict[str, bytes]:
    return {key: store.get(key) for key in store.list(ledger.PREFIX)}


def test_in_an_empty_ledger_any_key_may_begin(tmp_path: Path) -> None:
    keys.refuse_stranger(FolderStore(tmp_path), STRANGER)


def test_the_ledgers_own_key_may_sign_and_a_stranger_may_not(store: FolderStore) -> None:
    keys.refuse_stranger(store, OLD)
    with pytest.raises(RefusedError, match="cannot be followed"):
        keys.refuse_stranger(store, STRANGER)
    with pytest.raises(RefusedError, match="does not know the signing key"):
        keys.refuse_stranger(store, STRANGER, (PUBLIC,))


def test_a_whole_change_of_keys_is_followed_by_whoever_has_the_first_public_key(store: FolderStore) -> None:
    change(OLD).add(store, public_pem(OTHER_KEY))
    keys.refuse_stranger(store, NEW, (PUBLIC,))
    change(NEW, PUBLIC).revoke(store, PUBLIC.key_id)
    keys.refuse_stranger(store, NEW, (PUBLIC,))
    with pytest.raises(RefusedError, match="was revoked by ledger"):
        keys.refuse_stranger(store, OLD)
    enter(store, decided(sealed(a_plan("two"), key=OTHER_KEY), key=OTHER_KEY), OTHER_KEY)
    assert ledger_verification.check(files(store), [PUBLIC]).problems == []


FORGED: dict[str, Callable[[FolderStore], None]] = {
    "added by a stranger": lambda store: add(store, STRANGER),
    "added by itself": lambda store: add(store, NEW),
    "revoked by a stranger": lambda store: revoke(store, STRANGER),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_change_that_no_trusted_key_signed_starts_nothing(store: FolderStore, forge: Callable[[FolderStore], None]) -> None:
    forge(store)
    with pytest.raises(RefusedError, match="cannot be followed"):
        keys.refuse_stranger(store, NEW, (PUBLIC,))


def test_a_revoked_key_adds_nothing_any_more(store: FolderStore) -> None:
    add(store)
    revoke(store)
    payload = {"key_id": dsse.public_of(STRANGER).key_id, "public_key": dsse.public_of(STRANGER).pem().decode()}
    ledger.append(store, "key_added", keys.OWNER, payload, OLD, SEALED_AT)
    with pytest.raises(EvidenceError, match=r"which ledger/.* revoked"):
        keys.keyring(store, (PUBLIC,))


REFUSED: dict[str, tuple[Callable[[FolderStore], object], str]] = {
    "the key that signs is revoked": (lambda store: change(OLD).revoke(store, PUBLIC.key_id), "nobody could sign after it"),
    "a key that nobody added is revoked": (lambda store: change(OLD).revoke(store, NEW_PUBLIC.key_id), "trusts no key"),
    "without a reason": (lambda store: change(OLD, why=" ").add(store, public_pem(OTHER_KEY)), "none was given"),
}


@pytest.mark.parametrize(("act", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_before_anything_is_entered(store: FolderStore, act: Callable[[FolderStore], object], said: str) -> None:
    before = files(store)
    with pytest.raises(InputError, match=said):
        act(store)
    assert files(store) == before


def test_what_is_no_public_key_is_not_added(store: FolderStore) -> None:
    with pytest.raises(EvidenceError, match="not readable PEM"):
        change(OLD).add(store, "nonsense")
