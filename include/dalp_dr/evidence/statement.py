"""The in-toto statements (v1) that are signed: the sealed bundle, and everything said about it afterwards.

Every predicate type is a name below https://dalp-dr.dev/ and carries its schema version; nothing is fetched from there.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from dalp_dr.decide import Decision, SignOff
from dalp_dr.errors import EvidenceError

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
BUNDLE = "https://dalp-dr.dev/recovery-drill/v1"
SIGN_OFF = "https://dalp-dr.dev/sign-off/v1"
DECISION = "https://dalp-dr.dev/decision/v1"
REPORT = "https://dalp-dr.dev/report/v1"
TEARDOWN = "https://dalp-dr.dev/teardown/v1"
LEDGER_ENTRY = "https://dalp-dr.dev/ledger-entry/v1"


def statement(subject: str, sha256: str, predicate_type: str, predicate: dict[str, Any]) -> dict[str, Any]:
    """An in-toto Statement about one artefact, named by its digest."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject, "digest": {"sha256": sha256}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def about_bundle(bundle_sha256: str, predicate_type: str, predicate: dict[str, Any]) -> dict[str, Any]:
    """A statement whose subject is the bundle's manifest."""
    return statement("manifest.json", bundle_sha256, predicate_type, predicate)


def sign_off(answer: SignOff) -> dict[str, Any]:
    """A person's answer about the sealed bundle."""
    return about_bundle(answer.bundle_sha256, SIGN_OFF, asdict(answer))


def decision(
    drill_id: str,
    bundle_sha256: str,
    decided: Decision,
    decided_at: str,
    sign_off_problem: str | None = None,
    sign_off_sha256: str | None = None,
    cleared_by: tuple[str, ...] | None = (),
) -> dict[str, Any]:
    """The final decision. `sign_off_sha256` is the digest of the sign-off's envelope; `cleared_by` whoever
    cleared or marked tasks, None when that could not be read.
    """
    return about_bundle(
        bundle_sha256,
        DECISION,
        {
            "drill_id": drill_id,
            "bundle_sha256": bundle_sha256,
            "decision": decided.value,
            "decided_at": decided_at,
            "sign_off_problem": sign_off_problem,
            "sign_off_sha256": sign_off_sha256,
            "cleared_by": None if cleared_by is None else list(cleared_by),
        },
    )


def report(
    drill_id: str, bundle_sha256: str, reported_at: str, team: str, recipients: tuple[str, ...], problem: str | None = None
) -> dict[str, Any]:
    """Who was told of the result, by the mail server's word; or why nobody was."""
    return about_bundle(
        bundle_sha256,
        REPORT,
        {
            "drill_id": drill_id,
            "bundle_sha256": bundle_sha256,
            "reported_at": reported_at,
            "team": team,
            "recipients": list(recipients),
            "problem": problem,
        },
    )


def teardown(
    drill_id: str,
    bundle_sha256: str,
    finished_at: str,
    removed: tuple[str, ...],
    remaining: tuple[str, ...],
    kept_until: str | None = None,
) -> dict[str, Any]:
    """What was removed ("<kind> <namespace>/<name>"), what still exists, and until when the sandbox is kept if it
    is.
    """
    return about_bundle(
        bundle_sha256,
        TEARDOWN,
        {
            "drill_id": drill_id,
            "bundle_sha256": bundle_sha256,
            "finished_at": finished_at,
            "removed": list(removed),
            "remaining": list(remaining),
            "kept_until": kept_until,
        },
    )


def predicate(content: dict[str, Any], predicate_type: str, what: str) -> tuple[str, dict[str, Any]]:
    """(subject digest, predicate) of a statement of this type. Raises EvidenceError for any other, or a later
    version.
    """
    try:
        kind, subjects, said = content["predicateType"], content["subject"], content["predicate"]
        if content["_type"] != STATEMENT_TYPE or kind != predicate_type:
            raise EvidenceError(
                f"{what}: predicate type {kind!r}; this version reads {predicate_type}.",
                "Use the version of dalp_dr that wrote it.",
            )
        (subject,) = subjects
        return str(subject["digest"]["sha256"]), dict(said)
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceError(
            f"{what}: not an in-toto statement with one subject ({error}).", "Take the file from the evidence store."
        ) from error


def read_sign_off(content: dict[str, Any], what: str) -> SignOff:
    """The answer in a sign-off statement."""
    digest, said = predicate(content, SIGN_OFF, what)
    try:
        answer = msgspec.convert(said, SignOff)
    except msgspec.ValidationError as error:
        raise EvidenceError(f"{what}: {error}.", "Take the file from the evidence store.") from error
    if answer.bundle_sha256 != digest:
        raise EvidenceError(f"{what}: subject and content name different bundles.", "Take the file from the evidence store.")
    return answer
