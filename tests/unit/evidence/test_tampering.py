"""A generated table of tampered bundles: every one is caught, with the place named."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from dalp_dr.decide import Decision
from dalp_dr.evidence import canonical, dsse, manifest, seal, statement
from dalp_dr.evidence.bundle import Bundle
from dalp_dr.evidence.verify import NOT_INTACT, NOT_READY, READY, Verification, verify
from dalp_dr.model.check import CHECKLIST
from synthetic_drill import (
    CATALOGUE,
    DECIDED_AT,
    KEY,
    OTHER_KEY,
    OWNER_KEY,
    PUBLIC,
    SEALED_AT,
    CountFacts,
    a_plan,
    a_record,
    an_answer,
    decided,
    envelope_payload,
    good_records,
    private_pem,
    sealed,
    with_record,
)

PLAN = a_plan()
WHOLE = decided(sealed(PLAN))
FAILED = with_record(good_records(PLAN), a_record(PLAN, "reconciliation", facts=CountFacts(3, 2)))
OTHER_DRILL = decided(sealed(a_plan("scheduled__2026-07-07")))


def checked(bundle: Bundle, *keys: dsse.PublicKey, **more: str) -> Verification:
    return verify(bundle, keys or (PUBLIC,), **more, **CATALOGUE)


def with_files(bundle: Bundle, **changes: bytes | None) -> Bundle:
    return Bundle({p: d for p, d in {**bundle.files, **changes}.items() if d is not None}, bundle.manifest_sha256)


def sealed_anew(files: dict[str, bytes], key=KEY, after: bool = True) -> Bundle:  # type: ignore[no-untyped-def]
    """What somebody with a key can do: change files, list them, sign them, sign off and decide READY."""
    inside = {p: d for p, d in files.items() if p not in ("manifest.json", "statement.dsse.json") and not p.startswith("after/")}
    listing = manifest.of(PLAN.drill_id, 1, None, inside).encode()
    bundle = Bundle({**inside, "manifest.json": listing}, canonical.sha256(listing))
    bundle = seal.seal(bundle, private_pem(key), SEALED_AT)
    if not after:
        return bundle
    envelope = dsse.sign(statement.sign_off(an_answer(bundle)), private_pem(key))
    decision = statement.decision(PLAN.drill_id, bundle.manifest_sha256, Decision.READY, DECIDED_AT, None, canonical.sha256(envelope))
    return bundle.with_after("sign_off", envelope).with_after("decision", dsse.sign(decision, private_pem(key)))


def test_the_honest_bundle_is_ready() -> None:
    result = checked(WHOLE)
    assert result.problems == () and result.exit_code == READY


def test_honest_but_without_an_answer_is_intact_and_not_ready() -> None:
    result = checked(sealed(PLAN))
    assert result.problems == () and result.exit_code == NOT_READY


def test_an_honest_fix_is_intact_and_not_ready() -> None:
    result = checked(decided(sealed(PLAN, FAILED)))
    assert result.problems == () and result.exit_code == NOT_READY


# One flipped byte, one lost file, one swap: for every file of the bundle.
@pytest.mark.parametrize("path", sorted(WHOLE.files))
def test_a_flipped_byte_is_caught(path: str) -> None:
    data = WHOLE.files[path]
    for at in {0, len(data) // 3, len(data) // 2, len(data) - 1}:
        flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert checked(with_files(WHOLE, **{path: flipped})).exit_code == NOT_INTACT, at


@pytest.mark.parametrize("path", sorted(p for p in WHOLE.files if p != "manifest.json"))
def test_a_lost_file_is_caught(path: str) -> None:
    result = checked(with_files(WHOLE, **{path: None}))
    if path.startswith("after/"):  # what is not signed yet cannot be missed here; but it is not READY, and the ledger knows
        assert result.exit_code != READY or "teardown" in path
    else:
        assert result.exit_code == NOT_INTACT and any(p.where == path for p in result.problems)


RECORDS = sorted(p for p in WHOLE.files if p.startswith("records/"))


@pytest.mark.parametrize(("one", "other"), list(pairwise(RECORDS)))
def test_swapped_records_are_caught(one: str, other: str) -> None:
    assert checked(with_files(WHOLE, **{one: WHOLE.files[other], other: WHOLE.files[one]})).exit_code == NOT_INTACT


@pytest.mark.parametrize(
    "path",
    [
        "note.txt",
        "records/extra--drill--01.json",
        "records/.hidden",
        "captures/" + "0" * 64,
        "after/x",
        "after/sign_off-01.dsse.json.bak",
        "report/index.html",
        "records/deep/er.json",
    ],
)
def test_an_added_file_is_caught(path: str) -> None:
    result = checked(with_files(WHOLE, **{path: b"{}"}))
    assert result.exit_code == NOT_INTACT and any(p.where == path for p in result.problems)


def changed_verdict() -> Bundle:
    files = dict(sealed(PLAN, FAILED).files)
    verdict = canonical.loads(files["verdict.json"])
    files["verdict.json"] = canonical.dumps({**verdict, "verdict": "pass", "decision": "READY", "reasons": []})
    return sealed_anew(files)


def verdict_replaced(data: bytes) -> Bundle:
    """The right key signs a statement that fits, over a verdict.json that says nothing."""
    inside = {f.path: WHOLE.files[f.path] for f in WHOLE.read_manifest().files} | {"verdict.json": data}
    listing = manifest.of(PLAN.drill_id, 1, None, inside).encode()
    said = envelope_payload(WHOLE.files["statement.dsse.json"])["predicate"]
    envelope = dsse.sign(statement.about_bundle(canonical.sha256(listing), statement.BUNDLE, said), private_pem(KEY))
    return Bundle({**inside, "manifest.json": listing, "statement.dsse.json": envelope}, canonical.sha256(listing))


def changed_answers_too() -> Bundle:
    files = dict(sealed(PLAN, FAILED).files)
    files["verdict.json"] = WHOLE.files["verdict.json"]
    return sealed_anew(files)


def left_out_answer() -> Bundle:
    files = dict(WHOLE.files)
    verdict = canonical.loads(files["verdict.json"])
    files["verdict.json"] = canonical.dumps({**verdict, "checks": verdict["checks"][1:]})
    return sealed_anew(files)


def left_out_record() -> Bundle:
    """With the right key: the failing record is left out and everything else says pass."""
    return sealed_anew({p: d for p, d in changed_answers_too().files.items() if p != "records/reconciliation--drill--01.json"})


def left_out_seed_row() -> Bundle:
    return sealed_anew({p: d for p, d in WHOLE.files.items() if not p.startswith("records/object_versions")})


def signed_only(**changes: bytes) -> Callable[[], Bundle]:
    """The right key signs a bundle in which these files were replaced."""
    return lambda: sealed_anew({**WHOLE.files, **changes})


TELEMETRY = "records/telemetry--drill--01.json"


def record_with(**fields: object) -> bytes:
    return canonical.dumps({**canonical.loads(WHOLE.files[TELEMETRY]), **fields})


def signed_statement(**fields: object) -> Callable[[], Bundle]:
    """The right key signs a statement that does not fit the bundle."""
    content = envelope_payload(WHOLE.files["statement.dsse.json"])
    content["predicate"].update(fields)
    return lambda: with_files(WHOLE, **{"statement.dsse.json": dsse.sign(content, private_pem(KEY))})


def after(kind: str, content: dict[str, object], key=KEY) -> Callable[[], Bundle]:  # type: ignore[no-untyped-def]
    return lambda: with_files(WHOLE, **{f"after/{kind}-01.dsse.json": dsse.sign(content, private_pem(key))})


def reordered_manifest() -> Bundle:
    content = canonical.loads(WHOLE.files["manifest.json"])
    return with_files(WHOLE, **{"manifest.json": canonical.dumps({**content, "files": content["files"][::-1]})})


def with_attempts_reordered() -> Bundle:
    """The failing newer attempt is renamed to be the older one."""
    records = (*good_records(PLAN), a_record(PLAN, "telemetry", facts=CountFacts(3, 1), attempt=2))
    files = dict(sealed(PLAN, records).files)
    second = TELEMETRY.replace("01", "02")
    files[TELEMETRY], files[second] = files[second], files[TELEMETRY]
    files["verdict.json"] = WHOLE.files["verdict.json"]
    return sealed_anew(files)


def replayed_inside() -> Bundle:
    return sealed_anew({**WHOLE.files, TELEMETRY: OTHER_DRILL.files[TELEMETRY]})


def replayed_plan() -> Bundle:
    return sealed_anew({**WHOLE.files, "plan.json": OTHER_DRILL.files["plan.json"]})


def plan_with(**fields: object) -> Callable[[], Bundle]:
    """The right key signs a plan in which these fields were changed."""
    return signed_only(**{"plan.json": canonical.dumps({**canonical.loads(WHOLE.files["plan.json"]), **fields})})


DECISION = envelope_payload(WHOLE.files["after/decision-01.dsse.json"])
TAMPERED: dict[str, tuple[Callable[[], Bundle], str]] = {
    "signed again with another key": (lambda: sealed_anew(dict(WHOLE.files), OTHER_KEY), "statement.dsse.json"),
    "right key but changed verdict": (changed_verdict, "verdict.json"),
    "right key but changed verdict and answers": (changed_answers_too, "verdict.json"),
    "right key but an answer left out": (left_out_answer, "verdict.json"),
    "right key but the failing record left out": (left_out_record, "verdict.json"),
    "right key but one of the seven rows left out": (left_out_seed_row, "verdict.json"),
    "a record of another drill": (replayed_inside, TELEMETRY),
    "the plan of another drill": (replayed_plan, "plan.json"),
    **{f"a plan with checklist {number}": (plan_with(checklist=number), "plan.json") for number in (-1, 0, CHECKLIST + 1)},
    "a drill id that does not follow from the run": (
        signed_only(**{"plan.json": canonical.dumps({**canonical.loads(WHOLE.files["plan.json"]), "run_id": "manual__1"})}),
        "plan.json",
    ),
    "attempts renamed": (with_attempts_reordered, TELEMETRY),
    "a manifest in another order": (reordered_manifest, "manifest.json"),
    "a record of a later schema": (signed_only(**{TELEMETRY: record_with(schema_version=99)}), TELEMETRY),
    "a manifest of a later schema": (
        lambda: with_files(
            WHOLE,
            **{"manifest.json": canonical.dumps({**canonical.loads(WHOLE.files["manifest.json"]), "schema_version": 99})},
        ),
        "manifest.json",
    ),
    "a statement of another predicate type": (
        lambda: with_files(
            WHOLE,
            **{
                "statement.dsse.json": dsse.sign(
                    {
                        **envelope_payload(WHOLE.files["statement.dsse.json"]),
                        "predicateType": "https://dalp-dr.dev/recovery-drill/v99",
                    },
                    private_pem(KEY),
                )
            },
        ),
        "statement.dsse.json",
    ),
    "a key given twice": (signed_only(**{TELEMETRY: WHOLE.files[TELEMETRY][:-1] + b',"kind":"telemetry"}'}), TELEMETRY),
    "NaN": (signed_only(**{TELEMETRY: WHOLE.files[TELEMETRY].replace(b'"ratio":null', b'"ratio":NaN')}), TELEMETRY),
    "deep nesting": (signed_only(**{TELEMETRY: b"[" * 5000 + b"]" * 5000}), TELEMETRY),
    "a record that is none": (signed_only(**{TELEMETRY: b'"x"'}), TELEMETRY),
    "a record of an unknown kind": (
        signed_only(**{"records/other--drill--01.json": record_with(kind="other")}),
        "records/other--drill--01.json",
    ),
    "an impossible time": (signed_only(**{TELEMETRY: record_with(recorded_at="2020-01-01T00:00:00Z")}), "verdict.json"),
    "provenance that is no JSON": (signed_only(**{"provenance.json": b"{"}), "provenance.json"),
    "a verdict that says next to nothing": (
        signed_only(**{"verdict.json": canonical.dumps({"verdict": "pass", "decision": "READY", "outcome": "normal"})}),
        "verdict.json",
    ),
    "a verdict that is no object": (lambda: verdict_replaced(b"[]"), "verdict.json"),
    "a verdict that is empty": (lambda: verdict_replaced(b"{}"), "verdict.json"),
    "a capture nobody cites": (
        signed_only(**{f"captures/{canonical.sha256(b'x')}": b"x"}),
        f"captures/{canonical.sha256(b'x')}",
    ),
    "a statement of another plan": (signed_statement(plan_sha256="0" * 64), "statement.dsse.json"),
    "a statement of another verdict": (signed_statement(verdict="fail"), "statement.dsse.json"),
    "a statement that claims an attested clock": (signed_statement(clock="attested"), "statement.dsse.json"),
    "a sign-off of another bundle": (
        lambda: with_files(WHOLE, **{"after/sign_off-01.dsse.json": OTHER_DRILL.files["after/sign_off-01.dsse.json"]}),
        "after/sign_off-01.dsse.json",
    ),
    "a sign-off by another key": (
        after("sign_off", statement.sign_off(an_answer(WHOLE)), OTHER_KEY),
        "after/sign_off-01.dsse.json",
    ),
    "an account's sign-off made with an owner's key": (
        after("sign_off", statement.sign_off(an_answer(WHOLE)), OWNER_KEY),
        "after/sign_off-01.dsse.json",
    ),
    "an owner's sign-off made with the environment's key": (
        after("sign_off", statement.sign_off(an_answer(WHOLE, signer="ines", method="owner_key"))),
        "after/sign_off-01.dsse.json",
    ),
    "an approval in the place of a rejection": (
        lambda: with_files(
            decided(sealed(PLAN), an_answer(sealed(PLAN), approved=False, reason="no")),
            **{"after/sign_off-01.dsse.json": WHOLE.files["after/sign_off-01.dsse.json"]},
        ),
        "after/decision-01.dsse.json",
    ),
    "READY although the owner rejected": (
        lambda: decided(sealed(PLAN), an_answer(sealed(PLAN), approved=False), says=Decision.READY),
        "after/decision-01.dsse.json",
    ),
    "READY although a check failed": (
        lambda: decided(sealed(PLAN, FAILED), says=Decision.READY),
        "after/decision-01.dsse.json",
    ),
    "READY signed by the starter": (
        lambda: decided(sealed(replace(PLAN, started_by="otto")), says=Decision.READY),
        "after/decision-01.dsse.json",
    ),
    "READY signed by somebody who cleared tasks": (
        lambda: decided(sealed(PLAN), says=Decision.READY, cleared_by=("otto",)),
        "after/decision-01.dsse.json",
    ),
    "FIX although everything was fine": (
        lambda: decided(sealed(PLAN), says=Decision.FIX),
        "after/decision-01.dsse.json",
    ),
    "a decision before its sign-off": (
        after("decision", {**DECISION, "predicate": {**DECISION["predicate"], "decided_at": "2026-10-06T06:19:00Z"}}),
        "after/decision-01.dsse.json",
    ),
    "a sign-off before the seal": (
        lambda: decided(sealed(PLAN), an_answer(sealed(PLAN), signed_at="2026-10-06T06:01:00Z")),
        "after/decision-01.dsse.json",
    ),
    "a decision about another sign-off": (
        after("decision", {**DECISION, "predicate": {**DECISION["predicate"], "sign_off_sha256": "0" * 64}}),
        "after/decision-01.dsse.json",
    ),
}


@pytest.mark.parametrize(("make", "where"), TAMPERED.values(), ids=TAMPERED.keys())
def test_tampering_is_caught_and_placed(make: Callable[[], Bundle], where: str) -> None:
    result = checked(make())
    assert result.exit_code == NOT_INTACT
    assert result.decision is Decision.FIX
    assert where in {p.where for p in result.problems}, [str(p) for p in result.problems]


def test_a_whole_bundle_in_the_place_of_another() -> None:
    assert checked(OTHER_DRILL).exit_code == READY
    assert checked(OTHER_DRILL, expected_drill_id=PLAN.drill_id).exit_code == NOT_INTACT


def test_an_owners_own_key_counts_and_is_said_to_be_stronger() -> None:
    bundle = sealed(PLAN)
    result = checked(decided(bundle, an_answer(bundle, signer="ines", method="owner_key"), answer_key=OWNER_KEY))
    assert result.exit_code == READY and not any("weaker" in note for note in result.notes)


def test_a_newer_answer_replaces_an_older_one() -> None:
    bundle = sealed(PLAN)
    refused = decided(bundle, an_answer(bundle, approved=False, reason="look again"))
    assert checked(refused).exit_code == NOT_READY
    envelope = dsse.sign(statement.sign_off(an_answer(bundle)), private_pem(KEY))
    decision = statement.decision(PLAN.drill_id, bundle.manifest_sha256, Decision.READY, DECIDED_AT, None, canonical.sha256(envelope))
    again = refused.with_after("sign_off", envelope).with_after("decision", dsse.sign(decision, private_pem(KEY)))
    assert checked(again).exit_code == READY


def test_what_the_lab_played_is_said() -> None:
    bundle = sealed(PLAN)
    assert any("played by the lab" in note for note in checked(decided(bundle, an_answer(bundle, played_by_lab=True))).notes)


def test_the_answers_are_those_of_the_records_even_for_hostile_envelopes() -> None:
    payload = json.loads(WHOLE.files["statement.dsse.json"])
    payload["payload"] = base64.b64encode(b"[" * 4000).decode()
    assert checked(with_files(WHOLE, **{"statement.dsse.json": json.dumps(payload).encode()})).exit_code == NOT_INTACT
