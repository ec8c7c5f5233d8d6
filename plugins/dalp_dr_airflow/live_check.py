"""`python -m dalp_dr_airflow.live_check FILE`: what `python -m dalp_dr environment check FILE --live` does.

Plan and preflight as a drill asks them, through the connections of this machine, and nothing else: no lease, no evidence, no
sandbox. Each part is asked whatever became of the part before, so that one look names everything that must be mended.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dalp_dr import catalogue, dry_run, planning
from dalp_dr.database import point
from dalp_dr.errors import DrillError
from dalp_dr.model import environment_file
from dalp_dr.model.check import Stage, Surface, Verdict, worst
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import encode
from dalp_dr.text import visible
from dalp_dr_airflow.drill import Drill, Gathered, masked, now
from dalp_dr_airflow.hooks.connections import endpoint
from dalp_dr_airflow.operators.archive import read_archive
from dalp_dr_airflow.operators.dry_run import base_backup_bytes, volume_bytes
from dalp_dr_airflow.operators.plan import addresses
from dalp_dr_airflow.operators.preflight import (
    ArchiveCheckOperator,
    BackupCheckOperator,
    BucketProtectionOperator,
    SafetyCheckOperator,
    capacity_facts,
)

PASSED, TO_FIX, NOT_ASKED = 0, 1, 2
ASKED = (SafetyCheckOperator, BackupCheckOperator, ArchiveCheckOperator, BucketProtectionOperator)


@dataclass(frozen=True)
class Answer:
    """One question of plan or preflight."""

    check: str
    subject: str
    verdict: str
    observed: str
    findings: tuple[str, ...]
    next_step: str
    runbook: str


class Rehearsal(Drill):
    """A drill that is planned and asked about, and never begun."""

    def __init__(self, environment: Environment) -> None:
        super().__init__("d-00000000-00000000", environment, "live_check", 1)
        self.problems: list[Answer] = []

    def part(self, what: str, ask: Any, otherwise: Any) -> Any:
        """The part's answer; `otherwise`, and an open answer, when there is none."""
        try:
            return ask()
        except Exception as error:
            step = error.next_step if isinstance(error, DrillError) else "Look at the connection."
            said = masked(f"{type(error).__name__}: {error}")
            self.problems.append(Answer(what, "plan", "inconclusive", said, (), step, "drill.md#refused"))
            return otherwise

    @cached_property
    def plan(self) -> DrillPlan:
        """Frozen for now, kept nowhere. What could not be read is left out, and said."""
        found, moment = self.environment, now()
        asked = planning.Request(
            "environment_check", "live", datetime.fromisoformat(moment), getpass.getuser(), "", tuple(Surface), "latest", None, False
        )
        resolved = self.part("addresses", lambda: planning.resolve(found, addresses(self), endpoint(found.connections.backup_store)), found)
        database = self.part(
            "database recovery point", lambda: point.choose("latest", None, *read_archive(self, asked.asked), asked.seed), None
        )
        backups = self.part("backups", lambda: planning.choose_backups(resolved, self.velero.backups(), asked.asked), ())
        commit = self.part("configuration commit", lambda: self.configuration.commit_at(asked.asked, found.configuration.branch), None)
        return planning.freeze(asked, found, resolved, asked.asked, database, backups, commit)

    def gathered(self) -> Iterable[Gathered]:
        """What preflight's tasks gather."""
        for operator in ASKED:
            task = operator(task_id="live_check")
            yield from self.part(operator.__name__, lambda t=task: list(t.gather(self, {})), [])

    def answers(self) -> list[Answer]:
        """Every answer of plan and preflight, the worst first."""
        found = [a for g in self.gathered() for a in self._judged(g)]
        return sorted([*self.problems, *found], key=lambda a: -Verdict(a.verdict).rank)

    def _judged(self, gathered: Gathered) -> Iterable[Answer]:
        for check in catalogue.checks_of(gathered.kind):
            if check.stage is not Stage.PREFLIGHT:
                continue
            if gathered.facts is None:
                why = masked(gathered.error or "no facts")
                yield Answer(check.id, gathered.subject, "inconclusive", why, (), check.next_step, check.runbook)
                continue
            result = check.judge(catalogue.KINDS[gathered.kind].decode(encode(gathered.facts)), self.plan)
            yield Answer(
                check.id, gathered.subject, result.verdict.value, result.observed, result.findings[:20], check.next_step, check.runbook
            )

    def costs(self) -> list[str]:
        """What a drill would make, read and need."""
        plan = self.plan
        return list(dry_run.lines(plan, capacity_facts(self, plan), base_backup_bytes(self, plan), volume_bytes(self, plan)))


def main(words: Sequence[str]) -> int:
    """0 when nothing is to be mended, 1 otherwise, 2 when the file cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m dalp_dr_airflow.live_check", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(list(words))
    try:
        rehearsal = Rehearsal(environment_file.read(chosen.file))
    except DrillError as error:
        print(error.diagnostics(), file=sys.stderr)
        return NOT_ASKED
    with logs_aside():
        answers = rehearsal.answers()
        costs = rehearsal.part("costs", rehearsal.costs, [])
    answers += [p for p in rehearsal.problems if p not in answers]
    verdict = worst(Verdict(a.verdict) for a in answers)
    document = {
        "environment": rehearsal.environment.name,
        "verdict": verdict.value,
        "answers": [asdict(a) for a in answers],
        "costs": costs,
    }
    print(json.dumps(document, indent=2) if chosen.json else "\n".join(visible(line) for line in text(document)))
    return PASSED if verdict is Verdict.PASS else TO_FIX


@contextlib.contextmanager
def logs_aside() -> Iterator[None]:
    """What libraries write to standard output meanwhile goes to standard error: the answer is a program's to read."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def text(document: dict[str, Any]) -> list[str]:
    """What to mend first, then what a drill would do."""
    bad = [a for a in document["answers"] if a["verdict"] != "pass"]
    lines = []
    for answer in bad:
        lines.append(f"{answer['verdict'].upper()} {answer['check']} ({answer['subject']}): {answer['observed']}")
        lines += [f"    {f}" for f in answer["findings"]]
        lines.append(f"    fix: {answer['next_step']} See {answer['runbook']}")
    lines.append(f"{len(document['answers']) - len(bad)} of {len(document['answers'])} questions of plan and preflight pass.")
    lines += document["costs"]
    return [*lines, "Nothing was made or kept. This proves that a drill could start, not that anything can be recovered."]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
