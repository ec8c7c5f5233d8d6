"""The ledger: appended by one writer at a time, and every gap, fork, cut and replay is found."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical, dsse, ledger, ledger_verification, statement
from dalp_dr.evidence.bundle import Bundle
from synthetic_drill import (
    KEY,
    OTHER_KEY,
    PUBLIC,
    SEALED_AT,
    a_plan,
    an_answer,
    decided,
    enter,
    private_pem,
    public_pem,
    sealed,
)

PEM = private_pem(KEY)
FIRST, SECOND = decided(sealed(a_plan("one"))), decided(sealed(a_plan("two")))
DRILL = FIRST.read_manifest().drill_id


class Memory:
    """An evidence store in a dictionary."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        if self.files.setdefault(key, data) != data:
            raise EvidenceError(f"{key} exists with other content.")

    def get(self, key: str) -> bytes:
        return self.files[key]

    def list(self, prefix: str) -> tuple[str, ...]:
        return tuple(sorted(key for key in self.files if key.startswith(prefix)))


def ledger_files(store: Memory) -> dict[str, bytes]:
    """The entries alone, as a reader of the ledger's folder sees them."""
    return {key: data for key, data in store.files.items() if key.startswith(ledger.PREFIX)}


def two_drills() -> Memory:
    store = Memory()
    enter(store, FIRST)
    enter(store, SECOND)
    return store


def problems(files: dict[str, bytes], head: str | None = None) -> list[str]:
    return [str(p) for p in ledger_verification.check(files, [PUBLIC], head).problems]


def test_an_honest_ledger() -> None:
    store = two_drills()
    found = ledger_verification.check(ledger_files(store), [PUBLIC], ledger.head(store))
    assert found.problems == [] and found.notes == []
    assert list(ledger_verification.bundle_problems(found, FIRST)) == []
    assert min(ledger_files(store)) == f"ledger/000001-{DRILL}-opening.json"


def test_without_a_noted_head_the_tail_is_not_proven() -> None:
    assert any("tail not proven" in note for note in ledger_verification.check(ledger_files(two_drills()), [PUBLIC]).notes)


def test_appending_the_same_again_adds_nothing() -> None:
    store = two_drills()
    before = dict(store.files)
    enter(store, FIRST)
    assert store.files == before


def test_a_copy_is_made_whole_and_only_once() -> None:
    store, copy = two_drills(), Memory()
    assert ledger.copy(store, copy) == len(ledger_files(store))
    assert copy.files == ledger_files(store)
    assert ledger.copy(store, copy) == 0


def test_a_kind_that_is_none() -> None:
    with pytest.raises(EvidenceError, match="not a kind"):
        ledger.append(Memory(), "note", DRILL, {}, PEM, SEALED_AT)


class Interrupted(Memory):
    """Runs `between` once, right before the first claim is written: what another writer does in that moment."""

    def __init__(self, between: Callable[[Memory], None]) -> None:
        super().__init__()
        self.between: Callable[[Memory], None] | None = between

    def put(self, key: str, data: bytes) -> None:
        if self.between is not None and key.startswith(ledger.CLAIMS):
            between, self.between = self.between, None
            between(self)
        super().put(key, data)


OTHER = SECOND.read_manifest().drill_id


def test_two_writers_at_once_take_one_place_each() -> None:
    store = Interrupted(lambda it: ledger.append(it, "opening", OTHER, {}, PEM, SEALED_AT) and None)
    entry = ledger.append(store, "opening", DRILL, {}, PEM, SEALED_AT)
    assert entry.sequence == 2
    assert [e.drill_id for e in ledger.entries(store)] == [OTHER, DRILL]
    assert not any("fork" in line or "follow" in line for line in problems(ledger_files(store)))


def test_a_claim_whose_writer_died_is_completed_by_the_next_one() -> None:
    dead, store = Memory(), Memory()
    ledger.append(dead, "opening", OTHER, {}, PEM, SEALED_AT)
    claim = f"{ledger.CLAIMS}000001.json"
    store.files[claim] = dead.files[claim]
    assert ledger.append(store, "opening", DRILL, {}, PEM, SEALED_AT).sequence == 2
    assert [e.drill_id for e in ledger.entries(store)] == [OTHER, DRILL]


def test_a_store_that_lets_two_writers_have_one_key_is_noticed() -> None:
    class Careless(Interrupted):
        def put(self, key: str, data: bytes) -> None:
            with suppress(EvidenceError):
                super().put(key, data)
            self.files[key] = data

    store = Careless(lambda it: ledger.append(it, "opening", OTHER, {}, PEM, SEALED_AT) and None)
    with pytest.raises(EvidenceError, match="forked at 1"):
        ledger.append(store, "opening", DRILL, {}, PEM, SEALED_AT)


def test_a_store_that_is_down_is_not_taken_for_a_rival() -> None:
    class Down(Memory):
        def put(self, key: str, data: bytes) -> None:
            raise EvidenceError("the store is down")

    with pytest.raises(EvidenceError, match="store is down"):
        ledger.append(Down(), "opening", DRILL, {}, PEM, SEALED_AT)


def keys() -> list[str]:
    return sorted(ledger_files(two_drills()))


def removed(index: int) -> dict[str, bytes]:
    return {k: v for i, (k, v) in enumerate(sorted(ledger_files(two_drills()).items())) if i != index}


def reordered() -> dict[str, bytes]:
    files = ledger_files(two_drills())
    one, other = keys()[2], keys()[3]
    return {**files, one: files[other], other: files[one]}


def renumbered() -> dict[str, bytes]:
    """Entry 2 is removed and all later ones are renamed to close the gap."""
    files = dict(sorted(ledger_files(two_drills()).items()))
    kept = [(k, v) for i, (k, v) in enumerate(files.items()) if i != 1]
    return {f"ledger/{i:06d}{k[len('ledger/000001') :]}": v for i, (k, v) in enumerate(kept, 1)}


def forked() -> dict[str, bytes]:
    other = Memory()
    for key in keys()[:2]:
        other.files[key] = ledger_files(two_drills())[key]
    ledger.append(other, "aborted", DRILL, {"reason": "another truth"}, PEM, SEALED_AT)
    return {**ledger_files(two_drills()), **ledger_files(other)}


def by_another_key() -> dict[str, bytes]:
    store = two_drills()
    ledger.append(store, "teardown", DRILL, {"bundle_sha256": "x"}, private_pem(OTHER_KEY), SEALED_AT)
    return ledger_files(store)


def never_closed() -> dict[str, bytes]:
    store = Memory()
    ledger.append(store, "opening", DRILL, {"plan_sha256": "0"}, PEM, SEALED_AT)
    enter(store, SECOND)
    return ledger_files(store)


def never_opened() -> dict[str, bytes]:
    store = Memory()
    ledger.append(store, "decision", DRILL, {"bundle_sha256": "0"}, PEM, SEALED_AT)
    return ledger_files(store)


def opened_twice() -> dict[str, bytes]:
    store = two_drills()
    ledger.append(store, "opening", DRILL, {"plan_sha256": "other"}, PEM, SEALED_AT)
    return ledger_files(store)


BROKEN: dict[str, tuple[Callable[[], dict[str, bytes]], str]] = {
    "the first entry removed": (lambda: removed(0), "were removed"),
    "an entry in the middle removed": (lambda: removed(4), "entries 5 to 5 were removed"),
    "two entries exchanged": (reordered, "its content is entry"),
    "a gap closed by renaming": (renumbered, "its content is entry"),
    "a fork": (forked, "fork: entry 3 exists twice"),
    "an entry by another key": (by_another_key, "not a key you gave"),
    "a byte changed": (
        lambda: {
            **ledger_files(two_drills()),
            keys()[1]: ledger_files(two_drills())[keys()[1]].replace(b"DSSE", b"dsse", 1)[:-2] + b"x}",
        },
        keys()[1],
    ),
    "a foreign file": (lambda: {**ledger_files(two_drills()), "ledger/notes.txt": b"hello"}, "ledger/notes.txt"),
    "an opening that was never closed": (never_closed, "never closed"),
    "a decision without an opening": (never_opened, "no opening entry"),
    "a drill opened twice": (opened_twice, "opened twice"),
}


@pytest.mark.parametrize(("make", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_ledger_is_found(make: Callable[[], dict[str, bytes]], says: str) -> None:
    assert any(says in line for line in problems(make())), problems(make())


def test_a_cut_tail_is_found_against_the_noted_head() -> None:
    head = ledger.head(two_drills())
    cut = removed(len(keys()) - 1)
    assert problems(cut) == []
    assert any("cut off" in line for line in problems(cut, head))


def test_a_ledger_that_grew_since_the_head_was_noted_is_fine() -> None:
    store = Memory()
    enter(store, FIRST)
    head = ledger.head(store)
    enter(store, SECOND)
    found = ledger_verification.check(ledger_files(store), [PUBLIC], head)
    assert found.problems == [] and any("added after the noted head" in note for note in found.notes)


def test_a_rewritten_ledger_does_not_hold_the_noted_head() -> None:
    head = ledger.head(two_drills())
    rewritten = Memory()
    enter(rewritten, SECOND)
    assert any("noted head" in line for line in problems(ledger_files(rewritten), head))


def test_the_open_drill_at_the_end_is_reported() -> None:
    store = two_drills()
    ledger.append(store, "opening", "d-20261007-00000000", {"plan_sha256": "0"}, PEM, SEALED_AT)
    assert any("d-20261007-00000000 is open" in n for n in ledger_verification.check(ledger_files(store), [PUBLIC]).notes)


def rotated(revoke: bool) -> Memory:
    store = Memory()
    enter(store, FIRST)
    new = dsse.PublicKey.from_pem(public_pem(OTHER_KEY))
    ledger.append(store, "key_added", "keys", {"key_id": new.key_id, "public_key": public_pem(OTHER_KEY)}, PEM, SEALED_AT)
    if revoke:
        ledger.append(
            store,
            "key_revoked",
            "keys",
            {"key_id": PUBLIC.key_id, "reason": "laptop lost"},
            private_pem(OTHER_KEY),
            SEALED_AT,
        )
    return store


def test_a_key_that_a_trusted_entry_added_is_trusted_after_it() -> None:
    store = rotated(revoke=True)
    enter(store, decided(sealed(a_plan("two"), key=OTHER_KEY), key=OTHER_KEY), OTHER_KEY)
    assert problems(ledger_files(store)) == []


def test_a_revoked_key_signs_no_more() -> None:
    store = rotated(revoke=True)
    enter(store, SECOND)
    assert any("revoked" in line for line in problems(ledger_files(store)))


def test_a_bundle_sealed_with_a_revoked_key_is_found() -> None:
    store = rotated(revoke=True)
    enter(store, SECOND, OTHER_KEY)  # entries by the new key, the bundle itself by the old one
    found = ledger_verification.check(ledger_files(store), [PUBLIC])
    assert any("revoked" in str(p) for p in ledger_verification.bundle_problems(found, SECOND, PUBLIC.key_id))


def entered(*bundles: Bundle) -> ledger_verification.Ledger:
    store = Memory()
    for bundle in bundles:
        enter(store, bundle)
    return ledger_verification.check(ledger_files(store), [PUBLIC])


def places(found: ledger_verification.Ledger, bundle: Bundle) -> list[str]:
    return [str(p) for p in ledger_verification.bundle_problems(found, bundle)]


def test_a_bundle_that_was_never_entered() -> None:
    assert any("no opening entry" in line for line in places(entered(SECOND), FIRST))


def test_another_plan_than_the_one_that_was_opened() -> None:
    plan = a_plan("one", keep_sandbox=True)
    assert any("another plan" in line for line in places(entered(FIRST), decided(sealed(plan))))


def test_an_older_attempt_in_the_place_of_the_last() -> None:
    second = decided(sealed(a_plan("one"), previous=FIRST.manifest_sha256, attempt=2))
    found = entered(FIRST, second)
    assert places(found, second) == []
    assert any("later attempt" in line for line in places(found, FIRST))


def test_a_rejection_that_was_left_out_of_the_bundle() -> None:
    bundle = sealed(a_plan("one"))
    rejected = dsse.sign(statement.sign_off(an_answer(bundle, approved=False, reason="no")), PEM)
    store = Memory()
    enter(store, FIRST)
    ledger.append(
        store,
        "sign_off",
        DRILL,
        {"bundle_sha256": bundle.manifest_sha256, "envelope_sha256": canonical.sha256(rejected)},
        PEM,
        SEALED_AT,
    )
    found = ledger_verification.check(ledger_files(store), [PUBLIC])
    assert any("left out" in line for line in places(found, FIRST))


def test_a_statement_that_was_never_entered() -> None:
    found = entered(FIRST)
    more = FIRST.with_after("teardown", dsse.sign(statement.teardown(DRILL, FIRST.manifest_sha256, SEALED_AT, (), ("x",)), PEM))
    assert any("after/teardown-02" in line and "no entry" in line for line in places(found, more))
