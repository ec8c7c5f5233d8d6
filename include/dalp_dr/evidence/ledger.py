"""The ledger: an append-only chain of signed entries, `ledger/<6-digit sequence>-<drill id>-<what>.json`.

Each entry names the digest of the one before. Every drill opens with an entry before it writes anything and closes with
`decision`, `refused` or `aborted`, so that no drill can be left out afterwards. Keys change by entries too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical, dsse, statement
from dalp_dr.evidence.store import EvidenceStore

PREFIX = "ledger/"
CLAIMS = "ledger-claims/"
CLAIM_ATTEMPTS = 20
KINDS = ("opening", "seal", "sign_off", "report", "decision", "teardown", "refused", "aborted", "key_added", "key_revoked")
CLOSING = frozenset({"decision", "refused", "aborted"})
_NAME = re.compile(r"^(?P<sequence>\d{6})-(?P<drill>[a-z0-9-]+)-(?P<kind>[a-z_]+)\.json$")


@dataclass(frozen=True)
class Entry:
    """One entry; `sha256` is the digest of its file and the link the next entry carries."""

    sequence: int
    kind: str
    drill_id: str
    at: str
    previous: str | None
    payload: dict[str, Any]
    key: str
    sha256: str
    envelope: bytes


def append(store: EvidenceStore, kind: str, drill_id: str, payload: dict[str, Any], private_key_pem: bytes | str, at: str) -> Entry:
    """Adds an entry at the end and returns it. An equal entry of this drill is found and returned instead (a rerun).

    `at`: UTC, RFC 3339, clock of the caller. Tasks may append at the same time: a place is first claimed by writing the
    entry itself below `ledger-claims/`, where only one writer can win; the others take the next place. A writer that
    dies in between leaves a claim that whoever comes next completes.
    """
    if kind not in KINDS:
        raise EvidenceError(f"{kind!r} is not a kind of ledger entry.", f"Use one of {', '.join(KINDS)}.")
    for _ in range(CLAIM_ATTEMPTS):
        keys = _keys(store)
        for key in keys:
            if key.endswith(f"-{drill_id}-{kind}.json") and (entry := read(store, key)).payload == payload:
                return entry
        last = read(store, keys[-1]) if keys else None
        sequence = last.sequence + 1 if last else 1
        if not (claimed := store.list(_claim(sequence))):
            envelope = _signed(sequence, kind, drill_id, at, last.sha256 if last else None, payload, private_key_pem)
            if _won(store, sequence, envelope):
                return _place(store, envelope, sequence)
        else:
            _place(store, store.get(claimed[0]), sequence)
    raise EvidenceError(
        f"No place in the ledger was free after {CLAIM_ATTEMPTS} attempts.",
        "Look who else writes to it, then clear the task.",
    )


def _claim(sequence: int) -> str:
    return f"{CLAIMS}{sequence:06d}.json"


def _won(store: EvidenceStore, sequence: int, envelope: bytes) -> bool:
    """True when the place is ours. Raises EvidenceError when the store failed, rather than a rival won."""
    try:
        store.put(_claim(sequence), envelope)
    except EvidenceError:
        if not store.list(_claim(sequence)):
            raise
        return False
    return True


def _place(store: EvidenceStore, envelope: bytes, sequence: int) -> Entry:
    """Writes a claimed entry under its name. Raises EvidenceError when the store let two writers have one place."""
    said = statement.predicate(dsse.peek(envelope), statement.LEDGER_ENTRY, f"ledger claim {sequence}")[1]
    key = f"{PREFIX}{sequence:06d}-{said.get('drill_id')}-{said.get('kind')}.json"
    entry = parse(envelope, key)
    store.put(key, envelope)
    if rivals := [k for k in _keys(store) if k.startswith(f"{PREFIX}{sequence:06d}-") and k != key]:
        raise EvidenceError(
            f"The ledger forked at {sequence}: {key} and {rivals[0]} were written at the same time.",
            "The evidence store lets two writers have one key; use one that refuses to overwrite.",
        )
    return entry


def _signed(sequence: int, kind: str, drill_id: str, at: str, previous: str | None, payload: dict[str, Any], key: bytes | str) -> bytes:
    content = {
        "sequence": sequence,
        "kind": kind,
        "drill_id": drill_id,
        "at": at,
        "previous": previous,
        "payload": payload,
    }
    subject = canonical.sha256(canonical.dumps(payload))
    return dsse.sign(statement.statement(f"{kind} of {drill_id}", subject, statement.LEDGER_ENTRY, content), key)


def _keys(store: EvidenceStore) -> tuple[str, ...]:
    return tuple(key for key in store.list(PREFIX) if _NAME.match(key.removeprefix(PREFIX)))


def sequence_of(key: str) -> int | None:
    """The sequence number in a key; None when it is not the name of an entry."""
    match = _NAME.match(key.removeprefix(PREFIX))
    return int(match["sequence"]) if match else None


def read(store: EvidenceStore, key: str) -> Entry:
    """One entry, without checking its signature."""
    return parse(store.get(key), key)


def entries(store: EvidenceStore) -> tuple[Entry, ...]:
    """All entries in the order of their names, without checking them; `ledger_verification` does that."""
    return tuple(read(store, key) for key in _keys(store))


def copy(source: EvidenceStore, target: EvidenceStore) -> int:
    """Copies the entries that `target` lacks, oldest first, and returns how many; a copy with gaps proves nothing.

    Raises EvidenceError when the target holds another entry under the same name.
    """
    present = set(_keys(target))
    missing = [key for key in _keys(source) if key not in present]
    for key in missing:
        target.put(key, source.get(key))
    return len(missing)


def head(store: EvidenceStore) -> str | None:
    """Digest of the newest entry: what a second custodian keeps. None for an empty ledger."""
    keys = _keys(store)
    return canonical.sha256(store.get(keys[-1])) if keys else None


def parse(data: bytes, key: str) -> Entry:
    """The entry in a file. Raises EvidenceError when name and content differ or it is not an entry."""
    subject, said = statement.predicate(dsse.peek(data, key), statement.LEDGER_ENTRY, key)
    try:
        entry = Entry(
            sequence=int(said["sequence"]),
            kind=str(said["kind"]),
            drill_id=str(said["drill_id"]),
            at=str(said["at"]),
            previous=said["previous"],
            payload=dict(said["payload"]),
            key=key,
            sha256=canonical.sha256(data),
            envelope=data,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceError(f"{key}: not a ledger entry ({error}).", "Take the ledger from the evidence store.") from error
    if key.removeprefix(PREFIX) != f"{entry.sequence:06d}-{entry.drill_id}-{entry.kind}.json":
        raise EvidenceError(
            f"{key}: its content is entry {entry.sequence} ({entry.kind} of {entry.drill_id}).",
            "Take the ledger from the evidence store.",
        )
    if subject != canonical.sha256(canonical.dumps(entry.payload)):
        raise EvidenceError(f"{key}: its subject is not its payload.", "Take the ledger from the evidence store.")
    return entry
