"""Checks a bundle offline, with nothing but the public key, and judges its records anew.

Nothing in the bundle is believed: digests, signature and completeness first, then every verdict and the decision are
recomputed by the core's own functions and compared with what is stated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.x509 import Certificate

from dalp_dr import decide, naming
from dalp_dr.catalogue import younger
from dalp_dr.decide import Decision
from dalp_dr.dossier import Dossier
from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import after, canonical, dsse, manifest, records, seal, statement, timestamp
from dalp_dr.evidence.bundle import AFTER, PLAN, PROVENANCE, STATEMENT, VERDICT, Bundle, cited, missing_captures
from dalp_dr.evidence.bundle import verdict as verdict_document
from dalp_dr.evidence.problem import Problem
from dalp_dr.model.check import CHECKLIST
from dalp_dr.model.plan import DrillPlan, utc

READY, NOT_READY, UNREADABLE, NOT_INTACT = 0, 1, 2, 3  # exit codes of `python -m dalp_dr verify`


@dataclass(frozen=True)
class Verification:
    """What a check of one bundle found. `decision` is what the evidence supports, not what it says."""

    bundle_sha256: str
    drill_id: str | None = None
    attempt: int | None = None
    key_id: str | None = None
    proposal: decide.Proposal | None = None
    decision: Decision = Decision.FIX
    decided: bool = False
    sign_off: decide.SignOff | None = None
    sign_off_problem: str | None = None
    dossier: Dossier | None = None
    sealed_at: str | None = None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        return not self.problems

    @property
    def exit_code(self) -> int:
        if self.problems:
            return NOT_INTACT
        return READY if self.decision is Decision.READY else NOT_READY

    def with_more(self, problems: Iterable[Problem], notes: Iterable[str] = ()) -> Verification:
        """With what a check of the ledger found; any problem takes READY away."""
        found = (*self.problems, *problems)
        return replace(self, problems=found, notes=(*self.notes, *notes), decision=Decision.FIX if found else self.decision)

    def to_dict(self) -> dict[str, Any]:
        proposal = self.proposal
        return {
            "bundle_sha256": self.bundle_sha256,
            "drill_id": self.drill_id,
            "attempt": self.attempt,
            "key_id": self.key_id,
            "intact": self.intact,
            "decision": self.decision.value,
            "verdict": proposal.verdict.value if proposal else None,
            "proposed": proposal.decision.value if proposal else None,
            "outcome": proposal.outcome_kind.value if proposal else None,
            "reasons": [reason.to_dict() for reason in proposal.reasons] if proposal else [],
            "sign_off_problem": self.sign_off_problem,
            "sealed_at": self.sealed_at,
            "problems": [{"where": p.where, "what": p.what} for p in self.problems],
            "notes": list(self.notes),
            "exit_code": self.exit_code,
        }


@dataclass
class _Findings:
    """What is collected while the steps run; each step adds and none stops the others."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        self.problems.append(Problem(where, what))

    def error(self, error: EvidenceError, where: str) -> None:
        text = str(error)
        self.add(where, text.removeprefix(f"{where}: "))


def verify(
    bundle: Bundle,
    keys: Iterable[dsse.PublicKey],
    expected_drill_id: str | None = None,
    authorities: Iterable[Certificate] = (),
    **catalogue: Any,
) -> Verification:
    """Everything that can be checked on the bundle alone; `ledger_verification` checks its place in the ledger.

    `authorities`: root certificates of time-stamping authorities; without them the clock of the seal stays unattested.
    """
    known = tuple(keys)
    found = _Findings()
    result = Verification(canonical.sha256(bundle.files[manifest.NAME]))
    try:
        listing = manifest.decode(bundle.files[manifest.NAME])
    except EvidenceError as error:
        found.error(error, manifest.NAME)
        return result.with_more(found.problems)
    result = replace(result, drill_id=listing.drill_id, attempt=listing.attempt)
    if expected_drill_id and listing.drill_id != expected_drill_id:
        found.add(manifest.NAME, f"this is the bundle of {listing.drill_id}, not of {expected_drill_id}; it was replayed")
    _files(bundle, listing, found)
    stated = _signature(bundle, listing, known, found)
    result = replace(result, key_id=stated.get("key_id"), sealed_at=stated.get("sealed_at"))
    dossier = _dossier(bundle, listing, found, catalogue)
    if dossier is None:
        return result.with_more(found.problems, found.notes)
    proposal = _judged_anew(bundle, dossier, stated, found)
    checked = after.check(bundle, dossier.plan, proposal, known, str(stated.get("sealed_at") or dossier.plan.asked_at))
    _clock(bundle, result.sealed_at, tuple(authorities), found)
    result = replace(
        result,
        dossier=dossier,
        proposal=proposal,
        sign_off=checked.sign_off,
        sign_off_problem=checked.sign_off_problem,
        decision=checked.decision,
        decided=checked.decided,
    )
    return result.with_more([*found.problems, *checked.problems], [*found.notes, *checked.notes])


def _files(bundle: Bundle, listing: manifest.Manifest, found: _Findings) -> None:
    beside = [manifest.NAME, STATEMENT, *(path for path in bundle.files if path.startswith(AFTER))]
    for line in manifest.problems(listing, bundle.files, beside):
        where, _, what = line.partition(": ")
        found.add(where, what)
    for path in sorted(bundle.files):
        top, _, name = path.partition("/")
        at_home = (name and "/" not in name and top in ("records", "captures", "after")) or path in (
            PLAN,
            PROVENANCE,
            VERDICT,
            manifest.NAME,
            STATEMENT,
        )
        if not at_home:
            found.add(path, "no file of this name belongs into a bundle")
        elif top == "captures" and canonical.sha256(bundle.files[path]) != name:
            found.add(path, "its content is not the capture it is named after")
    for path in (PROVENANCE,):
        try:
            canonical.loads(bundle.files.get(path, b""), path)
        except EvidenceError as error:
            found.error(error, path)


def _signature(bundle: Bundle, listing: manifest.Manifest, keys: tuple[dsse.PublicKey, ...], found: _Findings) -> dict[str, Any]:
    """What the signed statement says; empty when it cannot be trusted."""
    if STATEMENT not in bundle.files:
        found.add(STATEMENT, "missing; the bundle was never sealed")
        return {}
    try:
        opened = dsse.open_envelope(bundle.files[STATEMENT], keys, STATEMENT)
        digest, said = statement.predicate(opened.statement, statement.BUNDLE, STATEMENT)
    except EvidenceError as error:
        found.error(error, STATEMENT)
        return {}
    if digest != canonical.sha256(bundle.files[manifest.NAME]):
        found.add(STATEMENT, "speaks of another manifest")
    expected = {
        "drill_id": listing.drill_id,
        "attempt": listing.attempt,
        "previous": listing.previous,
        "plan_sha256": listing.digest_of(PLAN),
        "clock": seal.CLOCK,
    }
    for name, value in expected.items():
        if said.get(name) != value:
            found.add(STATEMENT, f"{name} is {said.get(name)!r}, the bundle has {value!r}")
    return {**said, "key_id": opened.key_id}


def _clock(bundle: Bundle, sealed_at: str | None, authorities: tuple[Certificate, ...], found: _Findings) -> None:
    """Whether a time-stamping authority that the reader trusts saw the seal when the worker says it sealed."""
    said, attested = bundle.files.get(STATEMENT, b""), None
    for path, token in bundle.after(timestamp.KIND):
        try:
            seen = timestamp.check(token, said, authorities, path) if authorities else timestamp.moment(token, said, path)
        except EvidenceError as error:
            found.error(error, path)
            continue
        if sealed_at and (wrong := timestamp.implausible(seen, utc(sealed_at))):
            found.add(path, wrong)
        attested = seen if authorities else None
        if not authorities:
            found.notes.append(f"{path} says {seen.isoformat()}; give the authority's root certificate with --timestamp-root to check it")
    if attested:
        found.notes.append(f"clock attested: a time-stamping authority saw the seal at {attested.isoformat()}")
    else:
        found.notes.append("clock not attested: times are those of the drill's own machines")


def _dossier(bundle: Bundle, listing: manifest.Manifest, found: _Findings, catalogue: Mapping[str, Any]) -> Dossier | None:
    """Plan and the readable records; None without a readable plan."""
    try:
        plan = records.decode_plan(bundle.files[PLAN], PLAN)
    except KeyError:
        return None  # the manifest step has named it, or the manifest never listed it
    except EvidenceError as error:
        found.error(error, PLAN)
        return None
    for what in _plan_faults(plan, listing):
        found.add(PLAN, what)
    read = []
    for path in sorted(p for p in bundle.files if p.startswith("records/")):
        try:
            record = records.decode(bundle.files[path], path)
        except EvidenceError as error:
            found.error(error, path)
            continue
        if path != f"records/{record.name}":
            found.add(path, f"its content is {record.name}; it was swapped or renamed")
        if record.drill_id != plan.drill_id:
            found.add(path, f"is a record of {record.drill_id}; it was replayed")
        read.append(record)
    if later := younger(plan):
        names = ", ".join(check.id for check in later)
        found.notes.append(f"judged by checklist {plan.checklist}; this version also asks: {names}")
    dossier = Dossier(plan, tuple(read), **catalogue)
    for record in read:
        if record.kind not in dossier.known_kinds:
            found.add(f"records/{record.name}", f"kind {record.kind!r} is not known to this version")
    unwanted = {path.removeprefix("captures/") for path in bundle.files if path.startswith("captures/")} - set(cited(read))
    for name in sorted(unwanted):
        found.add(f"captures/{name}", "no record cites it")
    return dossier


def _plan_faults(plan: DrillPlan, listing: manifest.Manifest) -> Iterator[str]:
    if not 1 <= plan.checklist <= CHECKLIST:
        yield f"has checklist {plan.checklist}; this version knows 1 to {CHECKLIST}"
    if plan.drill_id != listing.drill_id:
        yield f"is the plan of {plan.drill_id}, the manifest is of {listing.drill_id}"
    try:
        expected = naming.drill_id(plan.dag_id, plan.run_id, utc(plan.asked_at))
    except ValueError:
        yield f"asked_at {plan.asked_at!r} is not a time"
    else:
        if plan.drill_id != expected:
            yield f"drill id {plan.drill_id} does not follow from DAG, run and day ({expected})"


def _judged_anew(bundle: Bundle, dossier: Dossier, stated: Mapping[str, Any], found: _Findings) -> decide.Proposal:
    """The proposal the records allow; whatever verdict.json or the statement says differently is a problem."""
    document: Any = None
    try:
        document = canonical.loads(bundle.files.get(VERDICT, b""), VERDICT)
        if not isinstance(document, dict):
            found.add(VERDICT, "is not a verdict")
    except EvidenceError as error:
        found.error(error, VERDICT)
    aborted = document.get("aborted") if isinstance(document, dict) else None
    proposal = decide.propose(dossier, aborted if isinstance(aborted, str) else None, missing_captures(dossier, bundle.files))
    anew = canonical.loads(canonical.dumps(verdict_document(dossier, proposal, aborted)))
    if isinstance(document, dict):
        for name in ("drill_id", "verdict", "decision", "outcome", "schema_version", "seed_rows"):
            if document.get(name) != anew[name]:
                found.add(VERDICT, f"states {name} {_short(document.get(name))}; the records give {_short(anew[name])}")
        _compare_answers(document, anew, found)
    for name in ("verdict", "decision", "outcome"):
        if stated and stated.get(name) != anew[name]:
            found.add(STATEMENT, f"states {name} {stated.get(name)!r}; the records give {anew[name]!r}")
    return proposal


def _compare_answers(document: Mapping[str, Any], anew: Mapping[str, Any], found: _Findings) -> None:
    for part in ("checks", "reasons"):
        said, given = _answers(document.get(part)), _answers(anew[part])
        for key in sorted(set(said) | set(given)):
            if said.get(key) != given.get(key):
                found.add(
                    VERDICT,
                    f"{part}: {key[0]} of {key[1]} is stated {said.get(key, 'nowhere')}, the records give "
                    f"{given.get(key, 'no such answer')}",
                )
        if said == given and document.get(part) != anew[part]:
            found.notes.append(f"{VERDICT}: some {part} are worded differently by this version; verdicts agree")


def _answers(part: Any) -> dict[tuple[str, str], str]:
    if not isinstance(part, list):
        return {}
    return {(str(a.get("check")), str(a.get("subject"))): str(a.get("verdict")) for a in part if isinstance(a, dict)}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
