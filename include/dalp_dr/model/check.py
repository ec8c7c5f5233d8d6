"""A check is one question with an expected and an observed value; its verdict is pass, inconclusive or fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dalp_dr.model.plan import DrillPlan

CHECKLIST = 2  # raised once a release that adds checks; a new check carries it as `since`
FINDINGS_SHOWN = 20  # findings kept in a result; the whole list stays in the record's facts


class Verdict(StrEnum):
    """Ordered: the worst of several wins. What crashed, was skipped or lacks facts is INCONCLUSIVE, never PASS."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst verdict; of none at all it is INCONCLUSIVE, since an empty checklist proves nothing."""
    return max(verdicts, key=lambda v: v.rank, default=Verdict.INCONCLUSIVE)


class Surface(StrEnum):
    """The five recovery surfaces of the seed page."""

    DATABASE = "database"
    KUBERNETES_RESOURCES = "kubernetes_resources"
    OBJECT_STORAGE = "object_storage"
    OBSERVABILITY = "observability"
    CONFIGURATION = "configuration"


class Stage(StrEnum):
    """The stages of a drill, in the order of the graph; a stage may look back, never ahead. Not every drill has all of them."""

    PLAN = "plan"
    PREFLIGHT = "preflight"
    SIMULATE = "simulate"
    REBUILD = "rebuild"
    ISOLATE = "isolate"
    RESTORE = "restore"
    VERIFY = "verify"
    START = "start"
    RECONCILE = "reconcile"
    ROUTE_SWITCH = "route_switch"
    MEASURE = "measure"
    SEAL = "seal"
    SIGN_OFF = "sign_off"
    REPORT = "report"
    TARGETS = "targets"
    DECIDE = "decide"
    TEARDOWN = "teardown"


@dataclass(frozen=True)
class CheckResult:
    """The answer to one check. `findings` names each thing that is wrong (capped by the caller of `results`)."""

    verdict: Verdict
    expected: str
    observed: str
    findings: tuple[str, ...] = ()


def passed(expected: str, observed: str) -> CheckResult:
    return CheckResult(Verdict.PASS, expected, observed)


def failed(expected: str, observed: str, findings: Iterable[str] = ()) -> CheckResult:
    return CheckResult(Verdict.FAIL, expected, observed, tuple(findings))


def inconclusive(expected: str, observed: str, findings: Iterable[str] = ()) -> CheckResult:
    return CheckResult(Verdict.INCONCLUSIVE, expected, observed, tuple(findings))


def expect(ok: bool, expected: str, observed: str, findings: Iterable[str] = ()) -> CheckResult:
    """PASS when `ok`, else FAIL with the findings."""
    return passed(expected, observed) if ok else failed(expected, observed, findings)


@dataclass(frozen=True)
class Check:
    """One question about the facts of one record kind.

    `judge(facts, plan)` is pure and is called again by `dalp_dr verify`. `surface` is None for checks about the drill itself.
    `refuses`: a FAIL in preflight forbids the start. `full_only`: asked by a drill over all five surfaces alone, since it is
    about services or times that a check of single surfaces does not have. `runbook` is `<file>#<section>` below include/runbooks.
    `source`: "alive" for what only a living production can answer, "lost" for what is asked after its loss alone.
    `since`: the checklist it came with; a drill is judged by the checklist in its plan (ADR 11).
    """

    id: str
    kind: str
    surface: Surface | None
    stage: Stage
    question: str
    judge: Callable[[Any, DrillPlan], CheckResult]
    next_step: str
    runbook: str
    refuses: bool = False
    full_only: bool = False
    since: int = 1
    source: Literal["any", "alive", "lost"] = "any"
