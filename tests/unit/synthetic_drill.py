"""A small drill for tests of evidence: a catalogue of eight kinds, a plan, records, and a signed bundle of them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dalp_dr import decide, naming
from dalp_dr.dossier import SEED_ROWS
from dalp_dr.evidence import bundle, canonical, dsse, ledger, records, seal, statement
from dalp_dr.evidence.bundle import Bundle
from dalp_dr.evidence.store import EvidenceStore
from dalp_dr.model import environment_file
from dalp_dr.model.check import Check, CheckResult, Stage, Surface, expect
from dalp_dr.model.environment import Owner
from dalp_dr.model.plan import BackupPoint, ConfigurationPoint, DatabasePoint, DrillPlan, ObjectPoint, Window
from dalp_dr.model.record import Capture, Record, RecordKind, encode

ENVIRONMENT = environment_file.read(Path(__file__).parents[2] / "include" / "environments" / "lab.yaml")


@dataclass(frozen=True)
class CountFacts:
    """Facts of every kind here: what should be, what is, and each difference."""

    expected_count: int
    found_count: int
    differences: tuple[str, ...] = ()
    ratio: float | None = None


@dataclass(frozen=True)
class TimingFacts:
    """Figures as the timing record has them."""

    rto_seconds: float | None
    rtt_seconds: float | None
    rpo_seconds: float | None
    rpo_by_surface: dict[str, float | None]
    phases: tuple[dict[str, Any], ...]
    business_rpo: dict[str, Any] | None = None


def judge_count(facts: CountFacts, plan: DrillPlan) -> CheckResult:
    return expect(
        facts.found_count == facts.expected_count,
        f"{facts.expected_count} of {facts.expected_count}",
        f"{facts.found_count} of {facts.expected_count}",
        facts.differences,
    )


def judge_rto(facts: TimingFacts, plan: DrillPlan) -> CheckResult:
    target = plan.environment.targets.rto_seconds
    return expect(facts.rto_seconds is not None and facts.rto_seconds <= target, f"at most {target} s", f"{facts.rto_seconds} s")


def roles(plan: DrillPlan) -> tuple[str, ...]:
    return plan.roles


ROWS = (
    ("backup", Stage.PREFLIGHT, Surface.KUBERNETES_RESOURCES),
    ("restore_target", Stage.PLAN, Surface.DATABASE),
    ("database_recovery_point", Stage.VERIFY, Surface.DATABASE),
    ("namespace_inventory", Stage.VERIFY, Surface.KUBERNETES_RESOURCES),
    ("object_versions", Stage.VERIFY, Surface.OBJECT_STORAGE),
    ("application_health", Stage.START, None),
    ("reconciliation", Stage.RECONCILE, None),
)
KINDS = {
    name: RecordKind(
        name,
        CountFacts,
        stage.value,
        roles if name in ("backup", "namespace_inventory") else lambda plan: ("drill",),
        title,
    )
    for (name, stage, _), title in zip(ROWS, SEED_ROWS, strict=True)
}
KINDS["timing"] = RecordKind("timing", TimingFacts, Stage.MEASURE.value)
KINDS["telemetry"] = RecordKind("telemetry", CountFacts, Stage.VERIFY.value)
KINDS["configuration"] = RecordKind("configuration", CountFacts, Stage.PREFLIGHT.value)
CHECKS = (
    *(
        Check(
            f"{name}_complete",
            name,
            surface,
            stage,
            f"Is every {name} right?",
            judge_count,
            f"Repair the {name}.",
            f"{name}.md#incomplete",
            refuses=name == "backup",
        )
        for name, stage, surface in ROWS
    ),
    Check(
        "telemetry_queryable",
        "telemetry",
        Surface.OBSERVABILITY,
        Stage.VERIFY,
        "Is it there?",
        judge_count,
        "Look.",
        "telemetry.md#empty",
    ),
    Check(
        "configuration_rebuilt",
        "configuration",
        Surface.CONFIGURATION,
        Stage.PREFLIGHT,
        "Is it Git's?",
        judge_count,
        "Look.",
        "configuration.md#drift",
    ),
    Check("rto_met", "timing", None, Stage.MEASURE, "In time?", judge_rto, "Look at the critical path.", "timing.md#rto"),
)
CATALOGUE: dict[str, Any] = {"kinds": KINDS, "checks": CHECKS}

ASKED = datetime(2026, 10, 6, 6, 0, tzinfo=UTC)
SEALED_AT, SIGNED_AT, DECIDED_AT, TORN_DOWN_AT = (
    "2026-10-06T06:10:00.123456Z",
    "2026-10-06T06:20:00Z",
    "2026-10-06T06:21:00Z",
    "2026-10-06T06:15:00Z",
)


def a_plan(run_id: str = "scheduled__2026-10-06", **changes: Any) -> DrillPlan:
    names = {n.role: n for n in ENVIRONMENT.source.namespaces}
    environment = ENVIRONMENT.model_copy(
        update={
            "owners": (
                Owner(user="ines", name="Ines Owner", public_key=public_pem(OWNER_KEY)),
                Owner(user="otto", name="Otto Owner"),
            )
        }
    )
    plan = DrillPlan(
        drill_id=naming.drill_id("quarterly_drill", run_id, ASKED),
        dag_id="quarterly_drill",
        run_id=run_id,
        environment=environment,
        environment_digest=environment_file.digest(ENVIRONMENT),
        surfaces=tuple(Surface),
        full=True,
        policy="latest",
        asked_at="2026-10-06T06:00:00Z",
        incident_time="2026-10-06T06:00:00Z",
        started_by="sam",
        keep_sandbox=False,
        random_seed="d",
        database=DatabasePoint(
            Window("2026-09-06T02:00:00Z", "2026-10-06T05:59:30Z", "0/5000000", 1, "7000000000000000001", 30, 400),
            "20261006T020000",
            "2026-10-06T02:01:00Z",
            "2026-10-06T05:59:30.000000Z",
            "0/4FFFF00",
            12,
        ),
        backups=tuple(
            BackupPoint(
                role,
                n.name,
                f"{role}-20261006",
                n.schedule,
                "2026-10-06T02:00:00Z",
                "2026-10-06T02:03:00Z",
                "2026-11-05T02:00:00Z",
            )
            for role, n in names.items()
        ),
        objects=ObjectPoint("2026-10-06T06:00:00Z"),
        configuration=ConfigurationPoint("a" * 40, "2026-10-01T12:00:00Z"),
    )
    return replace(plan, **changes)


CAPTURED = b'{"kind": "Backup", "status": {"phase": "Completed"}}'
CAPTURES = {canonical.sha256(CAPTURED): CAPTURED}
GOOD = CountFacts(3, 3)


def a_record(plan: DrillPlan, kind: str, subject: str = "drill", facts: Any = GOOD, attempt: int = 1, **changes: Any) -> Record:
    cites = (Capture("backup", "kubernetes: backups.velero.io velero/app", canonical.sha256(CAPTURED), len(CAPTURED)),)
    record = Record(
        kind,
        subject,
        plan.drill_id,
        f"verify.{kind}",
        attempt,
        f"2026-10-06T06:0{attempt + 2}:00Z",
        None if facts is None else encode(facts),
        error="could not be asked" if facts is None else None,
        captures=cites if kind == "backup" else (),
    )
    return replace(record, **changes)


TIMING = TimingFacts(
    412.5,
    500.0,
    30.0,
    {s.value: 30.0 for s in Surface},
    (
        {"name": "restore", "started_at": "2026-10-06T06:01:00Z", "ended_at": "2026-10-06T06:03:00Z", "seconds": 120.0},
        {"name": "start", "started_at": "2026-10-06T06:03:00Z", "ended_at": "2026-10-06T06:05:10Z", "seconds": 130.0},
    ),
)


def good_records(plan: DrillPlan) -> tuple[Record, ...]:
    """One record of every (kind, subject), all of them fine."""
    return tuple(
        a_record(plan, kind.name, subject, TIMING if kind.name == "timing" else GOOD)
        for kind in KINDS.values()
        for subject in kind.subjects(plan)
    )


def with_record(found: tuple[Record, ...], new: Record) -> tuple[Record, ...]:
    """`found` with `new` in the place of the record of the same name."""
    return tuple(new if r.name == new.name else r for r in found)


def public_pem(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


KEY, OTHER_KEY, OWNER_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
PUBLIC = dsse.PublicKey.from_pem(public_pem(KEY))
PROVENANCE = {"versions": {"dalp_dr": "1.0.0"}, "commit": "b" * 40, "dirty": False}


def sealed(plan: DrillPlan | None = None, found: tuple[Record, ...] | None = None, key: Ed25519PrivateKey = KEY, **more: Any) -> Bundle:
    plan = plan or a_plan()
    built = bundle.build(plan, good_records(plan) if found is None else found, CAPTURES, PROVENANCE, **more, **CATALOGUE)
    return seal.seal(built, private_pem(key), SEALED_AT)


def an_answer(sealed_bundle: Bundle, **changes: Any) -> decide.SignOff:
    answer = decide.SignOff(
        sealed_bundle.read_manifest().drill_id,
        sealed_bundle.manifest_sha256,
        "otto",
        True,
        "",
        SIGNED_AT,
        "airflow_account",
        "dalp_owner",
    )
    return replace(answer, **changes)


def decided(
    sealed_bundle: Bundle,
    answer: decide.SignOff | None = None,
    key: Ed25519PrivateKey = KEY,
    answer_key: Ed25519PrivateKey | None = None,
    says: decide.Decision | None = None,
    cleared_by: tuple[str, ...] = (),
) -> Bundle:
    """The bundle with sign-off, decision and teardown, honestly decided unless `says` gives another decision."""
    answer = answer or an_answer(sealed_bundle)
    envelope = dsse.sign(statement.sign_off(answer), private_pem(answer_key or key))
    signed = sealed_bundle.with_after("sign_off", envelope)
    dossier = sealed_bundle.dossier(**CATALOGUE)
    final = decide.final(decide.propose(dossier), dossier.plan, sealed_bundle.manifest_sha256, answer, cleared_by)
    signed = signed.with_after(
        "decision",
        dsse.sign(
            statement.decision(
                dossier.plan.drill_id,
                sealed_bundle.manifest_sha256,
                says or final.decision,
                DECIDED_AT,
                final.sign_off_problem,
                canonical.sha256(envelope),
                cleared_by,
            ),
            private_pem(key),
        ),
    )
    return signed.with_after(
        "teardown",
        dsse.sign(
            statement.teardown(dossier.plan.drill_id, sealed_bundle.manifest_sha256, TORN_DOWN_AT, ("Namespace dalp-drill-1-app",), ()),
            private_pem(key),
        ),
    )


def enter(store: EvidenceStore, whole: Bundle, key: Ed25519PrivateKey = KEY) -> None:
    """Enters a drill into the ledger: opening, seal, sign-off, decision, teardown."""
    listing, pem = whole.read_manifest(), private_pem(key)
    plan = records.decode_plan(whole.files[bundle.PLAN])
    ledger.append(
        store,
        "opening",
        plan.drill_id,
        {"plan_sha256": canonical.sha256(whole.files[bundle.PLAN]), "started_by": plan.started_by},
        pem,
        plan.asked_at,
    )
    ledger.append(
        store,
        "seal",
        plan.drill_id,
        {"bundle_sha256": whole.manifest_sha256, "attempt": listing.attempt, "previous": listing.previous},
        pem,
        SEALED_AT,
    )
    for kind in ("sign_off", "decision", "teardown"):
        for _, envelope in whole.after(kind):
            ledger.append(
                store,
                kind,
                plan.drill_id,
                {"bundle_sha256": whole.manifest_sha256, "envelope_sha256": canonical.sha256(envelope)},
                pem,
                DECIDED_AT,
            )


def envelope_payload(envelope: bytes) -> dict[str, Any]:
    """The statement inside an envelope, decoded."""
    content: dict[str, Any] = canonical.loads(base64.b64decode(canonical.parse(envelope)["payload"]))
    return content
