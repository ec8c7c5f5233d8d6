"""The bundle of one drill: a folder of canonical JSON files and raw captures under a manifest.

statement.dsse.json   signed in-toto statement over manifest.json
manifest.json         digest and size of every file below; its digest is the bundle's name
plan.json             what was to be done, frozen before the first write
records/              <kind>--<subject>--<attempt>.json, every attempt
captures/<sha256>     redacted raw answers the facts were read from
provenance.json       by what, from which commit, for whom
verdict.json          every answer, and the proposed decision
after/                signed statements over the bundle's digest: sign-off, report, decision, teardown; never part of the seal
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dalp_dr import decide
from dalp_dr.dossier import Dossier
from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical, manifest, records, timestamp
from dalp_dr.evidence.store import EvidenceStore, FolderStore, is_safe_key
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import Record

STATEMENT = "statement.dsse.json"
PLAN = "plan.json"
PROVENANCE = "provenance.json"
VERDICT = "verdict.json"
AFTER = "after/"
VERDICT_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Bundle:
    """Files by path. `manifest_sha256` names the bundle: everything said about it later is about this digest."""

    files: Mapping[str, bytes]
    manifest_sha256: str

    @property
    def is_sealed(self) -> bool:
        return STATEMENT in self.files

    @property
    def sealed_paths(self) -> tuple[str, ...]:
        return tuple(path for path in self.files if not path.startswith(AFTER))

    def after(self, kind: str) -> tuple[tuple[str, bytes], ...]:
        """(path, envelope) of the statements of one kind made after the seal, oldest first."""
        return tuple((path, self.files[path]) for path in sorted(self.files) if path.startswith(f"{AFTER}{kind}-"))

    def with_after(self, kind: str, envelope: bytes) -> Bundle:
        """The bundle with one more statement: `after/<kind>-<nn>.dsse.json`. An equal one is not added again."""
        present = self.after(kind)
        if any(data == envelope for _, data in present):
            return self
        return replace(self, files={**self.files, f"{AFTER}{kind}-{len(present) + 1:02d}.dsse.json": envelope})

    def with_timestamp(self, token: bytes) -> Bundle:
        """The bundle with an authority's time stamp of its signed statement."""
        return replace(self, files={**self.files, f"{AFTER}{timestamp.KIND}-{len(self.after(timestamp.KIND)) + 1:02d}.tsr": token})

    def read_manifest(self) -> manifest.Manifest:
        return manifest.decode(self.files[manifest.NAME])

    @property
    def aborted(self) -> str | None:
        """Why the run was given up, as verdict.json states it."""
        stated = canonical.loads(self.files[VERDICT], VERDICT).get("aborted")
        return None if stated is None else str(stated)

    def dossier(self, **catalogue: Any) -> Dossier:
        """Plan and records, decoded. Raises EvidenceError naming the file that is wrong."""
        if PLAN not in self.files:
            raise EvidenceError(f"{PLAN}: missing.", "Take the whole bundle from the evidence store.")
        found = tuple(records.decode(data, path) for path, data in sorted(self.files.items()) if path.startswith("records/"))
        return Dossier(records.decode_plan(self.files[PLAN]), found, **catalogue)

    def put(self, store: EvidenceStore, prefix: str) -> None:
        """Stores every file below `prefix`; the signed statement last among the sealed ones, so that a part is
        never whole.
        """
        for path in sorted(self.files, key=lambda p: (p.startswith(AFTER), p == STATEMENT, p)):
            store.put(f"{prefix.rstrip('/')}/{path}", self.files[path])

    def write(self, folder: Path) -> None:
        """Stores every file in `folder`. A file that is there with other content raises EvidenceError."""
        self.put(FolderStore(folder.parent), folder.name)


def build(
    plan: DrillPlan,
    found: Iterable[Record],
    captures: Mapping[str, bytes],
    provenance: dict[str, Any],
    previous: str | None = None,
    attempt: int = 1,
    aborted: str | None = None,
    **catalogue: Any,
) -> Bundle:
    """The bundle before it is signed. Facts are judged as a reader of the files will judge them.

    `captures`: raw answers by sha256; those no record cites are left out, those cited and absent are named in
    the verdict.
    """
    dossier = Dossier(plan, tuple(records.as_read(record) for record in found), **catalogue)
    files: dict[str, bytes] = {PLAN: records.encode_plan(plan), PROVENANCE: canonical.dumps(provenance)}
    for record in dossier.records:
        path = f"records/{record.name}"
        if path in files or not is_safe_key(path) or path.count("/") > 1:
            raise EvidenceError(f"{path} exists twice or is no file name.", "Each attempt writes one record of its own.")
        files[path] = records.encode(record)
    for capture in cited(dossier.records):
        data = captures.get(capture)
        if data is not None and canonical.sha256(data) == capture:
            files[f"captures/{capture}"] = data
    missing = missing_captures(dossier, files)
    files[VERDICT] = canonical.dumps(verdict(dossier, decide.propose(dossier, aborted, missing), aborted))
    listing = manifest.of(plan.drill_id, attempt, previous, files).encode()
    return Bundle({**files, manifest.NAME: listing}, canonical.sha256(listing))


def cited(found: Iterable[Record]) -> tuple[str, ...]:
    """Digests of the captures that records cite."""
    return tuple(sorted({capture.sha256 for record in found for capture in record.captures}))


def missing_captures(dossier: Dossier, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """ "<record>: <source>" of every capture that a record cites and the files lack."""
    return tuple(
        sorted(
            f"{record.name}: {capture.source}"
            for record in dossier.records
            for capture in record.captures
            if f"captures/{capture.sha256}" not in files
        )
    )


def verdict(dossier: Dossier, proposal: decide.Proposal, aborted: str | None) -> dict[str, Any]:
    """The content of verdict.json."""
    return {
        "schema_version": VERDICT_SCHEMA_VERSION,
        "drill_id": dossier.plan.drill_id,
        "verdict": proposal.verdict.value,
        "decision": proposal.decision.value,
        "outcome": proposal.outcome_kind.value,
        "aborted": aborted,
        "reasons": [reason.to_dict() for reason in proposal.reasons],
        "checks": [
            {
                "check": o.check.id,
                "subject": o.subject,
                "verdict": o.result.verdict.value,
                "expected": o.result.expected,
                "observed": o.result.observed,
                "record": o.record_name,
            }
            for o in dossier.outcomes()
        ],
        "seed_rows": [
            {"title": row.title, "records": [r.name for r in row.records], "missing": list(row.missing)} for row in dossier.seed_rows()
        ],
    }


def read(folder: Path) -> Bundle:
    """The bundle in a folder. Raises EvidenceError when there is none."""
    if not (folder / manifest.NAME).is_file():
        raise EvidenceError(f"{folder.name}: holds no bundle ({manifest.NAME} is missing).", "Give the folder of a bundle.")
    if odd := next((p for p in folder.rglob("*") if p.is_symlink() or not (p.is_file() or p.is_dir())), None):
        raise EvidenceError(f"{odd.relative_to(folder)}: neither a file nor a folder.", "Take the bundle from the evidence store.")
    store = FolderStore(folder)
    files = {key: store.get(key) for key in store.list("")}
    return Bundle(files, canonical.sha256(files[manifest.NAME]))


def unsealed(sealed: Bundle, found: Iterable[Record]) -> tuple[str, ...]:
    """Names of records that are not in the bundle: written after the seal, so that the bundle does not speak of them."""
    return tuple(sorted(r.name for r in found if sealed.files.get(f"records/{r.name}") != records.encode(r)))


def capture_index(found: Iterable[Record]) -> dict[str, dict[str, Any]]:
    """What each capture is, by digest."""
    return {capture.sha256: asdict(capture) for record in found for capture in record.captures}
