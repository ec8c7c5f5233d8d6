"""The shape of every check task: gather facts, record them, judge them, show the verdict."""

from __future__ import annotations

import logging
import traceback
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from dalp_dr.errors import DrillError
from dalp_dr.model.check import Surface, Verdict, worst
from dalp_dr_airflow.drill import Drill, Gathered, Judged, masked
from dalp_dr_airflow.errors import CheckFailedError, CheckInconclusiveError
from dalp_dr_airflow.web.links import DrillReportLink, RunbookLink

if TYPE_CHECKING:
    from airflow.sdk import Context

XCOM_EVIDENCE = "evidence"
log = logging.getLogger(__name__)


class DrillOperator(BaseOperator):
    """Base of all operators that gather facts. A subclass says which kinds it records and how it gathers them."""

    surface: Surface | None = None  # None: about the drill itself
    operator_extra_links = (DrillReportLink(), RunbookLink())
    found_runbook: str | None = None  # section for the first check that did not pass

    def in_scope(self, drill: Drill) -> bool:
        """Whether this task has anything to do in a drill over these surfaces; what it leaves out is not asked of the drill."""
        return self.surface is None or self.surface in drill.plan.surfaces

    @abstractmethod
    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        """The facts, one `Gathered` a subject. Uses `attempt` for each part that may fail alone."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        drill = Drill.open(context)
        if not self.in_scope(drill):
            self.log.info("This drill covers %s: nothing to do here.", ", ".join(drill.plan.surfaces))
            return []
        if not context["params"].get("dry_run"):
            drill.begin()
        return self.conclude(drill, context, self.gather(drill, context))

    def conclude(self, drill: Drill, context: Context, gathered: Iterable[Gathered], began_at: str | None = None) -> list[dict[str, Any]]:
        """Records, judges, logs, pushes the XCom, and raises unless everything passed."""
        judged = drill.conclude(gathered, began_at)
        for item in judged:
            show(item)
        small = [{"uri": j.uri, "sha256": j.sha256, "size": j.size, "verdict": j.verdict.value} for j in judged]
        context["ti"].xcom_push(key=XCOM_EVIDENCE, value=small)
        self.found_runbook = next((c.runbook for j in judged for c, r in j.results if r.verdict is not Verdict.PASS), None)
        self._raise_unless_passed(judged)
        return small

    def _raise_unless_passed(self, judged: list[Judged]) -> None:
        verdict = worst(j.verdict for j in judged)
        if verdict is Verdict.PASS:
            return
        bad = [f"{c.id} ({j.record.subject}): {r.observed}" for j in judged for c, r in j.results if r.verdict is not Verdict.PASS]
        bad += [f"{j.record.kind} ({j.record.subject}): {j.record.error}" for j in judged if j.record.error]
        text = "; ".join(bad)[:1000] or "nothing was recorded"
        raise (CheckFailedError if verdict is Verdict.FAIL else CheckInconclusiveError)(text)


def show(judged: Judged) -> None:
    """One line a check in the task log: mark, question, expected, observed, findings, next step."""
    if judged.record.error:
        log.error("%s: facts could not be obtained: %s", judged.record.kind, judged.record.error)
    for check, result in judged.results:
        line = f"[{result.verdict.value}] {check.id} ({judged.record.subject}): expected {result.expected}; observed {result.observed}"
        (log.info if result.verdict is Verdict.PASS else log.error)("%s", line)
        for finding in result.findings[:20]:
            log.error("    %s", finding)
        if result.verdict is not Verdict.PASS:
            log.error("    next step: %s (runbook %s)", check.next_step, check.runbook)


def skip_dry_run(context: Context) -> None:
    """Tasks that run whatever happened before them have nothing to do in a dry run."""
    if context["params"].get("dry_run"):
        raise AirflowSkipException("Dry run: the plan task's log says what would be done.")


def attempt(kind: str, gatherer: Callable[[], Gathered], subject: str = "drill") -> Gathered:
    """The gatherer's answer, or a record that says why there is none: a fact that is missing is never a passing fact."""
    try:
        return gatherer()
    except DrillError as error:
        return Gathered(kind, None, subject, error.diagnostics())
    except Exception as error:  # a crash is a fact that is missing: recorded, so that no earlier record stands in its place
        log.error("gathering %s of %s crashed:\n%s", kind, subject, masked(traceback.format_exc()))
        return Gathered(kind, None, subject, f"the check crashed: {type(error).__name__}: {error}")
