"""Checks a ledger: continuity, signatures, keys, closed drills, and the place of one bundle in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical, dsse, ledger
from dalp_dr.evidence.bundle import PLAN, Bundle
from dalp_dr.evidence.problem import Problem


@dataclass
class Ledger:
    """Entries that could be read, in order, and what is wrong with them."""

    entries: list[ledger.Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    keys: dict[str, dsse.PublicKey] = field(default_factory=dict)
    revoked: dict[str, ledger.Entry] = field(default_factory=dict)

    def add(self, where: str, what: str) -> None:
        self.problems.append(Problem(where, what))


def read_folder(folder: Path) -> dict[str, bytes]:
    """Files of a ledger folder by key; the folder may be the ledger itself or hold it as `ledger/`."""
    root = folder / "ledger" if (folder / "ledger").is_dir() else folder
    if not root.is_dir():
        raise EvidenceError(f"{folder}: there is no such folder.", "Give the folder of the ledger.")
    return {f"{ledger.PREFIX}{p.relative_to(root).as_posix()}": p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def check(files: dict[str, bytes], keys: Iterable[dsse.PublicKey], head: str | None = None) -> Ledger:
    """The whole ledger. `head` is the digest a second custodian kept; without it a cut-off tail cannot be seen."""
    result = Ledger(keys={key.key_id: key for key in keys})
    _chain(files, result)
    _drills(result)
    digests = [entry.sha256 for entry in result.entries]
    if head is None:
        result.notes.append("tail not proven: entries after the last one could be missing; give the noted digest with --head")
    elif head not in digests:
        result.add(
            "ledger",
            f"the noted head {head[:16]} is not in it; the ledger was cut off or another one was put in its place",
        )
    elif head != digests[-1]:
        result.notes.append(f"{len(digests) - digests.index(head) - 1} entries were added after the noted head")
    return result


def _chain(files: dict[str, bytes], result: Ledger) -> None:
    last_key, last_sequence, last_sha256 = "", 0, None
    for key in sorted(files):
        try:
            entry = ledger.parse(files[key], key)
            opened = dsse.open_envelope(files[key], result.keys.values(), key)
        except EvidenceError as error:
            result.add(key, str(error).removeprefix(f"{key}: "))
            last_key, last_sequence, last_sha256 = (
                key,
                ledger.sequence_of(key) or last_sequence,
                canonical.sha256(files[key]),
            )
            continue
        if entry.sequence == last_sequence:
            result.add(key, f"fork: entry {entry.sequence} exists twice")
        elif entry.sequence != last_sequence + 1:
            result.add(key, f"entries {last_sequence + 1} to {entry.sequence - 1} were removed")
        elif entry.previous != last_sha256:
            result.add(key, f"does not follow {last_key or 'the beginning'}; one of them was replaced or moved")
        if (revocation := result.revoked.get(opened.key_id)) is not None:
            result.add(key, f"signed by key {opened.key_id}, which {revocation.key} revoked")
        _change_keys(entry, result)
        result.entries.append(entry)
        last_key, last_sequence, last_sha256 = key, entry.sequence, entry.sha256


def _change_keys(entry: ledger.Entry, result: Ledger) -> None:
    """Keys that a trusted entry adds are trusted after it; revoked ones no longer sign."""
    if entry.kind == "key_added":
        try:
            added = dsse.PublicKey.from_pem(str(entry.payload.get("public_key")))
        except EvidenceError as error:
            result.add(entry.key, str(error))
        else:
            result.keys[added.key_id] = added
    elif entry.kind == "key_revoked":
        result.revoked.setdefault(str(entry.payload.get("key_id")), entry)


def _drills(result: Ledger) -> None:
    """Every opening has a closing entry; nothing of a drill comes before its opening."""
    opened: dict[str, ledger.Entry] = {}
    closed: set[str] = set()
    for entry in result.entries:
        if entry.kind in ("key_added", "key_revoked"):
            continue
        if entry.kind == "opening":
            if entry.drill_id in opened:
                result.add(entry.key, f"{entry.drill_id} was opened twice")
            for drill in [d for d in opened if d not in closed]:
                result.add(opened[drill].key, f"{drill} was opened and never closed, although {entry.drill_id} came after it")
                closed.add(drill)
            opened.setdefault(entry.drill_id, entry)
        elif entry.drill_id not in opened:
            result.add(entry.key, f"{entry.drill_id} has no opening entry before it")
        if entry.kind in ledger.CLOSING:
            closed.add(entry.drill_id)
    result.notes += [f"{drill} is open: no decision, refusal or abortion yet" for drill in opened if drill not in closed]


def bundle_problems(found: Ledger, bundle: Bundle, key_id: str | None = None) -> Iterator[Problem]:
    """What is wrong with the place of one bundle in the ledger; `key_id` is the key that sealed it."""
    listing = bundle.read_manifest()
    digest = canonical.sha256(bundle.files["manifest.json"])
    mine = [entry for entry in found.entries if entry.drill_id == listing.drill_id]
    opening = next((e for e in mine if e.kind == "opening"), None)
    if opening is None:
        yield Problem("ledger", f"has no opening entry of {listing.drill_id}")
    elif opening.payload.get("plan_sha256") != listing.digest_of(PLAN):
        yield Problem(opening.key, "opened another plan than the one in the bundle")
    seals = [e for e in mine if e.kind == "seal"]
    own = next((e for e in seals if e.payload.get("bundle_sha256") == digest), None)
    if own is None:
        yield Problem("ledger", f"has no seal entry of the bundle {digest[:16]}")
    elif key_id and key_id in found.revoked and found.revoked[key_id].sequence < own.sequence:
        yield Problem(own.key, f"the bundle was sealed with key {key_id} after {found.revoked[key_id].key} revoked it")
    elif seals[-1] is not own:
        yield Problem(own.key, f"a later attempt was sealed ({seals[-1].key}); this bundle is not the drill's last")
    if listing.previous and listing.previous not in {e.payload.get("bundle_sha256") for e in seals}:
        yield Problem("ledger", f"has no seal entry of the attempt before ({listing.previous[:16]})")
    yield from _statements(mine, bundle, digest)


def _statements(mine: list[ledger.Entry], bundle: Bundle, digest: str) -> Iterator[Problem]:
    for kind in ("sign_off", "report", "decision", "teardown"):
        kept = {canonical.sha256(data): path for path, data in bundle.after(kind)}
        entered = {str(e.payload.get("envelope_sha256")): e for e in mine if e.kind == kind and e.payload.get("bundle_sha256") == digest}
        for sha256 in sorted(set(kept) - set(entered)):
            yield Problem(kept[sha256], "has no entry in the ledger")
        for sha256 in sorted(set(entered) - set(kept)):
            yield Problem(entered[sha256].key, f"the {kind} it enters is not in the bundle; it was left out or replaced")
