"""Facts and checks about the restored data itself: every page, required tables, constraints, sequences, PostgreSQL's own doubts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dalp_dr.database.relations import Part, Relation
from dalp_dr.database.rows import Rows, integer, one, required, text
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan

FINDINGS_KEPT = 10_000  # a rotten table can have a finding a row; more than this tells nothing new


@dataclass(frozen=True)
class Damage:
    """One finding of amcheck about one relation."""

    kind: str
    relation: str
    finding: str


@dataclass(frozen=True)
class Sequence:
    """A sequence that fills a column: what comes next, and the furthest value in the column; None where it is empty."""

    name: str
    filled: str
    step: int
    next: int
    furthest: int | None


@dataclass(frozen=True)
class DatabaseIntegrity:
    """What was checked and what is wrong. `tables`: qualified name -> exact number of rows; `uncounted`: why not.

    `digests`: qualified name -> sum over the hashes of all rows. `broken`: constraints that rows break, by table. `unchecked`: relations
    whose check did not come to its end, and why. `deep_indexes`: those compared with all rows. `sequences` is None where nobody asked.
    """

    server_version: str
    data_checksums: str
    checksum_failures: int | None
    heaps_checked: int
    indexes_checked: int
    damage: tuple[Damage, ...]
    tables: dict[str, int]
    uncounted: dict[str, str]
    invalid_indexes: tuple[str, ...]
    unvalidated_constraints: tuple[str, ...]
    others_checked: int = 0
    relations_listed: int = 0
    deep_indexes: int = 0
    damage_total: int = 0
    unchecked: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    broken: tuple[str, ...] | None = None
    sequences: tuple[Sequence, ...] | None = None
    sequence_errors: tuple[str, ...] = ()
    bytes_read: int = 0
    seconds: float | None = None
    sessions: int = 1


@dataclass(frozen=True)
class Answer:
    """What came of one part: its rows, or why there are none."""

    part: Part
    rows: Rows
    error: str | None = None


def facts_from(
    settings: Rows,
    inventory: Rows,
    sequences: Rows,
    listed: Iterable[Relation],
    answers: Iterable[Answer],
    *,
    deep_indexes: int = 0,
    seconds: float | None = None,
    sessions: int = 1,
) -> DatabaseIntegrity:
    """The facts of kind `database_integrity`. Raises FactError."""
    setting, told = one(settings, "settings.sql"), tuple(answers)
    pages = [r for a in told if a.part.text == "integrity" for r in a.rows]
    contents = [r for a in told if a.part.text == "contents" for r in a.rows]
    checked = {(required(r, "kind"), required(r, "relation")) for r in pages}
    damage = [Damage(required(r, "kind"), required(r, "relation"), finding) for r in pages if (finding := text(r, "finding"))]
    failures = text(setting, "checksum_failures")
    return DatabaseIntegrity(
        server_version=required(setting, "server_version"),
        data_checksums=required(setting, "data_checksums"),
        checksum_failures=int(failures) if failures is not None else None,
        heaps_checked=sum(kind == "heap" for kind, _ in checked),
        indexes_checked=sum(kind == "index" for kind, _ in checked),
        others_checked=sum(kind == "other" for kind, _ in checked),
        damage=tuple(damage[:FINDINGS_KEPT]),
        damage_total=len(damage),
        tables={required(r, "name"): integer(r, "rows") for r in contents if not text(r, "error")},
        uncounted={required(r, "name"): error for r in contents if (error := text(r, "error"))},
        digests={required(r, "name"): required(r, "digest") for r in contents if not text(r, "error")},
        broken=tuple(f"{required(r, 'name')}: {broken}" for r in contents if (broken := text(r, "broken"))),
        invalid_indexes=tuple(required(r, "name") for r in inventory if required(r, "kind") == "invalid_index"),
        unvalidated_constraints=tuple(required(r, "name") for r in inventory if required(r, "kind") == "unvalidated_constraint"),
        unchecked=_unchecked(tuple(listed), told, {relation for _, relation in checked}, {required(r, "name") for r in contents}),
        relations_listed=sum(1 for _ in listed),
        sequences=tuple(_sequence(r) for r in sequences if not text(r, "error")),
        sequence_errors=tuple(f"{required(r, 'sequence')}: {error}" for r in sequences if (error := text(r, "error"))),
        deep_indexes=deep_indexes,
        bytes_read=sum(a.part.bytes_ for a in told if a.error is None),
        seconds=seconds,
        sessions=sessions,
    )


def _unchecked(listed: tuple[Relation, ...], answers: tuple[Answer, ...], pages: set[str], contents: set[str]) -> dict[str, str]:
    """Relations that a part was about and that did not come to its end, and those that no answer speaks of."""
    found = {relation: a.error for a in answers if a.error is not None for relation in a.part.relations}
    silent = [r.relation for r in listed if r.relation not in pages] + [r.name for r in listed if r.content and r.name not in contents]
    return {**dict.fromkeys(silent, "no answer speaks of it"), **found}


def _sequence(row: Mapping[str, Any]) -> Sequence:
    furthest = text(row, "furthest")
    return Sequence(
        name=required(row, "sequence"),
        filled=required(row, "filled"),
        step=integer(row, "step"),
        next=integer(row, "next"),
        furthest=int(furthest) if furthest is not None else None,
    )


def judge_integrity(facts: DatabaseIntegrity, plan: DrillPlan) -> CheckResult:
    """No page of any relation is damaged, amcheck has nothing to say, no index is invalid, no page failed its checksum.

    Without data checksums a rotten byte inside a row's value is not seen by anything here: inconclusive.
    """
    expected = "no damage in any heap or index, no invalid index, no failed page checksum, data checksums on"
    findings = [f"{d.kind} {d.relation}: {d.finding}" for d in facts.damage]
    findings += [f"table {name} could not be read: {error}" for name, error in facts.uncounted.items()]
    findings += [f"index {name} is invalid" for name in facts.invalid_indexes]
    findings += [f"{facts.checksum_failures} page checksum failures"] if facts.checksum_failures else []
    seen = f"{facts.heaps_checked} heaps and {facts.indexes_checked} indexes checked, data checksums {facts.data_checksums}"
    if facts.relations_listed:
        seen += f"; {facts.deep_indexes} indexes with all rows, {facts.others_checked} others read"
    if findings:
        return failed(expected, f"{seen}; {max(len(findings), facts.damage_total)} findings", findings)
    if not facts.heaps_checked or not facts.indexes_checked:
        return inconclusive(expected, seen)
    if facts.unchecked:
        told = [f"{name}: {why}" for name, why in sorted(facts.unchecked.items())]
        return inconclusive(expected, f"{seen}; {len(told)} relations were not checked", told)
    if facts.data_checksums != "on":
        return inconclusive(expected, seen, ["data checksums are off, so that silent damage inside values cannot be seen"])
    return expect(True, expected, seen)


def judge_tables(facts: DatabaseIntegrity, plan: DrillPlan) -> CheckResult:
    """Every required table exists; names without a schema are in `public`."""
    required_tables = plan.environment.database.required_tables
    missing = [name for name in required_tables if (name if "." in name else f"public.{name}") not in {**facts.tables, **facts.uncounted}]
    expected = f"the {len(required_tables)} required tables"
    if not required_tables:
        return expect(bool(facts.tables), "at least one table", f"{len(facts.tables)} tables")
    seen = f"{len(facts.tables)} tables with {sum(facts.tables.values())} rows"
    return expect(not missing, expected, seen, [f"table {name} is missing" for name in missing])


def judge_constraints(facts: DatabaseIntegrity, plan: DrillPlan) -> CheckResult:
    """Every constraint is validated and really holds: not null, check, unique and foreign keys, looked for in the heaps themselves."""
    expected = "no NOT VALID constraint, and no row that breaks one"
    if facts.broken is None or not facts.tables:
        return inconclusive(expected, "constraints were not looked at")
    findings = [f"{name} was never validated" for name in facts.unvalidated_constraints] + list(facts.broken)
    seen = f"rows of {len(facts.tables)} tables read against their constraints"
    if findings:
        return failed(expected, f"{seen}; {len(findings)} findings", findings)
    if facts.uncounted or facts.unchecked:
        unread = {**facts.uncounted, **facts.unchecked}
        return inconclusive(
            expected, f"{seen}; {len(unread)} relations could not be read", [f"{n}: {e}" for n, e in sorted(unread.items())]
        )
    return expect(True, expected, seen)


def judge_sequences(facts: DatabaseIntegrity, plan: DrillPlan) -> CheckResult:
    """No sequence would give a value again that its column has already."""
    expected = "every sequence ahead of the column it fills"
    if facts.sequences is None:
        return inconclusive(expected, "sequences were not looked at")
    behind = [s for s in facts.sequences if s.furthest is not None and (s.next - s.furthest) * (1 if s.step > 0 else -1) <= 0]
    seen = f"{len(facts.sequences)} sequences"
    if behind:
        findings = [f"sequence {s.name} gives {s.next} next, {s.filled} already has {s.furthest}" for s in behind]
        return failed(expected, f"{seen}, {len(behind)} behind", findings)
    if facts.sequence_errors:
        return inconclusive(expected, f"{seen}, {len(facts.sequence_errors)} could not be read", facts.sequence_errors)
    return expect(True, expected, seen)
