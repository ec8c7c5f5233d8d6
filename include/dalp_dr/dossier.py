"""All that is known about one drill: its plan and its records, and the answer to every check they allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from dalp_dr import catalogue
from dalp_dr.model.check import Check, CheckResult, Stage, failed, inconclusive
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import Record, RecordKind

SEED_ROWS = (  # the table "restore evidence to keep" of the seed page, in its order
    "Backup name and creation time",
    "Restore target timestamp",
    "Database checkpoint or WAL end",
    "Restored namespace inventory",
    "Object version check",
    "Application health checks",
    "Reconciliation result",
)


@dataclass(frozen=True)
class Outcome:
    """The answer to one required check about one subject; `record_name` is None when nothing was recorded.

    `ran` tells an answer that was looked for from one that was not: no record at all means the task never got there.
    """

    check: Check
    subject: str
    result: CheckResult
    record_name: str | None

    @property
    def ran(self) -> bool:
        return self.record_name is not None


@dataclass(frozen=True)
class SeedRow:
    """One row of the seed's table: the records that fill it and the subjects that still lack facts."""

    title: str
    records: tuple[Record, ...]
    missing: tuple[str, ...]  # "<kind> <subject>"


@dataclass(frozen=True)
class Dossier:
    """Plan and records of one drill. Every attempt is kept; the newest of each (kind, subject) counts.

    `kinds` and `checks` are the catalogue of this version unless a test gives a smaller one.
    """

    plan: DrillPlan
    records: tuple[Record, ...]
    kinds: Mapping[str, RecordKind] | None = None
    checks: tuple[Check, ...] | None = None

    @property
    def known_kinds(self) -> Mapping[str, RecordKind]:
        return catalogue.KINDS if self.kinds is None else self.kinds

    def required(self) -> Iterator[tuple[Check, str]]:
        """Every (check, subject) this drill must answer, in the order of the stages."""
        if self.kinds is None and self.checks is None:
            yield from catalogue.required(self.plan)
            return
        for check in catalogue.CHECKS if self.checks is None else self.checks:
            if catalogue.asked(check, self.plan):
                for subject in self.known_kinds[check.kind].subjects(self.plan):
                    yield check, subject

    @cached_property
    def newest(self) -> Mapping[tuple[str, str], Record]:
        """The record of the highest attempt, by (kind, subject)."""
        found: dict[tuple[str, str], Record] = {}
        for record in self.records:
            key = (record.kind, record.subject)
            if key not in found or (record.attempt, record.recorded_at) > (found[key].attempt, found[key].recorded_at):
                found[key] = record
        return found

    @cached_property
    def _begun(self) -> Mapping[str, int]:
        """The highest attempt that was begun of each task that ran more than once."""
        begun: dict[str, int] = {}
        for record in self.records:
            if record.kind == "attempt":
                begun[record.task_id] = max(begun.get(record.task_id, 0), record.attempt)
        return begun

    def record(self, kind: str, subject: str = "drill") -> Record | None:
        return self.newest.get((kind, subject))

    def attempts(self, kind: str, subject: str) -> tuple[Record, ...]:
        """Every attempt at one record, oldest first."""
        return tuple(sorted((r for r in self.records if (r.kind, r.subject) == (kind, subject)), key=lambda r: r.attempt))

    @cached_property
    def _outcomes(self) -> tuple[Outcome, ...]:
        decoded: dict[str, object] = {}
        return tuple(self._outcome(check, subject, decoded) for check, subject in self.required())

    def outcomes(self) -> tuple[Outcome, ...]:
        """One answer for every required (check, subject), judged anew from the recorded facts."""
        return self._outcomes

    def _outcome(self, check: Check, subject: str, decoded: dict[str, object]) -> Outcome:
        record = self.record(check.kind, subject)
        if record is None:
            return Outcome(check, subject, inconclusive("an answer", "not run"), None)
        if self._begun.get(record.task_id, 0) > record.attempt:
            later = f"attempt {self._begun[record.task_id]} of {record.task_id} began and recorded nothing"
            return Outcome(check, subject, inconclusive("an answer of the newest attempt", later), record.name)
        return Outcome(check, subject, self._judge(check, record, decoded), record.name)

    def _judge(self, check: Check, record: Record, decoded: dict[str, object]) -> CheckResult:
        if record.drill_id != self.plan.drill_id:
            return inconclusive(f"a record of {self.plan.drill_id}", f"a record of another drill, {record.drill_id}")
        if record.facts is None:
            return inconclusive("facts", record.error or "no facts and no error were recorded")
        try:
            if record.name not in decoded:
                decoded[record.name] = self.known_kinds[check.kind].decode(record.facts)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            return inconclusive(f"facts of kind {check.kind}", f"the facts do not decode: {error}")
        if wrong := self._not_derived(check.kind, decoded[record.name]):
            return failed("figures that follow from the other records", f"{len(wrong)} do not", wrong)
        try:
            return check.judge(decoded[record.name], self.plan)
        except Exception as error:
            return inconclusive("a judgement", f"the check itself failed: {type(error).__name__}: {error}")

    def _not_derived(self, kind: str, facts: object) -> list[str]:
        """What is stated otherwise than the other records say: a figure is never believed because a record states it."""
        derive = self.known_kinds[kind].derived
        if derive is None:
            return []
        try:
            anew = derive(self.plan, self.records)
        except Exception as error:
            return [f"they cannot be computed: {type(error).__name__}: {error}"]
        return [
            f"{name} is {stated}, the records give {value}" for name, value in anew.items() if (stated := getattr(facts, name)) != value
        ]

    def seed_rows(self) -> tuple[SeedRow, ...]:
        """The seven rows in the seed's order; a row is filled when each of its subjects has a record with facts."""
        return tuple(self._seed_row(title) for title in SEED_ROWS)

    def _seed_row(self, title: str) -> SeedRow:
        kinds = [kind for kind in self.known_kinds.values() if kind.seed_row == title]
        records: list[Record] = []
        missing: list[str] = []
        for kind in kinds:
            subjects = kind.subjects(self.plan)
            if not subjects:
                missing.append(kind.name)
            for subject in subjects:
                record = self.record(kind.name, subject)
                if record is not None and record.facts is not None and record.drill_id == self.plan.drill_id:
                    records.append(record)
                else:
                    missing.append(f"{kind.name} {subject}")
        if not kinds:
            missing.append("no record kind of this version fills the row")
        return SeedRow(title, tuple(records), tuple(missing))

    def missing_seed_rows(self) -> tuple[str, ...]:
        """Titles of the seed's rows that lack facts."""
        return tuple(row.title for row in self.seed_rows() if row.missing)

    def reached(self, stage: Stage) -> bool:
        """True when a record with facts exists from this stage or a later one."""
        order = list(Stage)
        later = {kind.name for kind in self.known_kinds.values() if order.index(Stage(kind.stage)) >= order.index(stage)}
        return any(r.kind in later and r.facts is not None for r in self.records)
