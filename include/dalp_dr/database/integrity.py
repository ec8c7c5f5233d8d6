"""Facts and checks about the restored data itself: every heap and index, required tables, PostgreSQL's own doubts."""

from __future__ import annotations

from dataclasses import dataclass

from dalp_dr.database.rows import Rows, integer, one, required, text
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan


@dataclass(frozen=True)
class Damage:
    """One finding of amcheck about one relation."""

    kind: str
    relation: str
    finding: str


@dataclass(frozen=True)
class DatabaseIntegrity:
    """What was checked and what is wrong. `tables`: qualified name -> exact number of rows; `uncounted`: why not."""

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


def facts_from(plan: DrillPlan, settings: Rows, integrity: Rows, inventory: Rows) -> DatabaseIntegrity:
    """The facts of kind `database_integrity`. Raises FactError."""
    setting = one(settings, "settings.sql")
    checked = {(required(r, "kind"), required(r, "relation")) for r in integrity}
    damage = [Damage(required(r, "kind"), required(r, "relation"), finding) for r in integrity if (finding := text(r, "finding"))]
    failures = text(setting, "checksum_failures")
    return DatabaseIntegrity(
        server_version=required(setting, "server_version"),
        data_checksums=required(setting, "data_checksums"),
        checksum_failures=int(failures) if failures is not None else None,
        heaps_checked=sum(kind == "heap" for kind, _ in checked),
        indexes_checked=sum(kind == "index" for kind, _ in checked),
        damage=tuple(damage),
        tables={required(r, "name"): integer(r, "rows") for r in inventory if required(r, "kind") == "table" and not text(r, "error")},
        uncounted={required(r, "name"): error for r in inventory if required(r, "kind") == "table" and (error := text(r, "error"))},
        invalid_indexes=tuple(required(r, "name") for r in inventory if required(r, "kind") == "invalid_index"),
        unvalidated_constraints=tuple(required(r, "name") for r in inventory if required(r, "kind") == "unvalidated_constraint"),
    )


def judge_integrity(facts: DatabaseIntegrity, plan: DrillPlan) -> CheckResult:
    """amcheck has nothing to say about any heap or B-tree index; no index is invalid; no page failed its checksum.

    Without data checksums a rotten byte inside a row's value is not seen by anything here: inconclusive.
    """
    expected = "no damage in any heap or index, no invalid index, no failed page checksum, data checksums on"
    findings = [f"{d.kind} {d.relation}: {d.finding}" for d in facts.damage]
    findings += [f"table {name} could not be read: {error}" for name, error in facts.uncounted.items()]
    findings += [f"index {name} is invalid" for name in facts.invalid_indexes]
    findings += [f"{facts.checksum_failures} page checksum failures"] if facts.checksum_failures else []
    seen = f"{facts.heaps_checked} heaps and {facts.indexes_checked} indexes checked, data checksums {facts.data_checksums}"
    if findings:
        return failed(expected, f"{seen}; {len(findings)} findings", findings)
    if not facts.heaps_checked or not facts.indexes_checked:
        return inconclusive(expected, seen)
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
