"""Production is gone only when everything was asked for and nothing answered, beside something that did."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dalp_dr.cluster_loss import loss
from dalp_dr.cluster_loss.loss import Asked, ClusterLoss
from dalp_dr.model.check import Verdict
from sandbox_sample import PLAN

LOST = replace(PLAN, source_lost=True)
NAMES = [loss.API, *(loss.objects_of(n.name) for n in LOST.environment.source.namespaces), loss.DATABASE]
CONTROLS = (Asked("recovery cluster", "answered"), Asked("backup store", "answered"))


def facts(changed: dict[str, str] | None = None, left_out: str = "", controls: tuple[Asked, ...] = CONTROLS) -> ClusterLoss:
    outcomes = {name: "no_answer" for name in NAMES if name != left_out} | (changed or {})
    return ClusterLoss(tuple(Asked(n, o, "seen") for n, o in outcomes.items()), controls)  # type: ignore[arg-type]


CASES = {
    "nothing answers": (facts(), Verdict.PASS),
    "no connection leads there any more": (facts({n: "no_connection" for n in NAMES}), Verdict.PASS),
    "the API server answers": (facts({loss.API: "answered"}), Verdict.FAIL),
    "objects of one namespace answer": (facts({loss.objects_of("dalp-support"): "answered"}), Verdict.FAIL),
    "one namespace was not asked for": (facts(left_out=loss.objects_of("dalp")), Verdict.INCONCLUSIVE),
    "a question failed by itself": (facts({loss.API: "unclear"}), Verdict.INCONCLUSIVE),
    "the worker reaches nothing at all": (facts(controls=tuple(replace(c, outcome="no_answer") for c in CONTROLS)), Verdict.INCONCLUSIVE),
    "nothing that survives was asked": (facts(controls=()), Verdict.INCONCLUSIVE),
    "nothing was asked": (ClusterLoss((), CONTROLS), Verdict.INCONCLUSIVE),
    "one answers and another was not asked": (facts({loss.API: "answered"}, loss.objects_of("dalp")), Verdict.FAIL),
}


@pytest.mark.parametrize("case", CASES)
def test_cluster_gone(case: str) -> None:
    given, verdict = CASES[case]
    assert loss.source_cluster_gone(given, LOST).verdict is verdict


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (facts(), Verdict.PASS),
        (facts({loss.DATABASE: "answered"}), Verdict.FAIL),
        (facts(left_out=loss.DATABASE), Verdict.INCONCLUSIVE),
        (facts({loss.API: "answered"}), Verdict.PASS),
    ],
    ids=["silent", "answers", "not asked for", "only the API answers"],
)
def test_database_gone(given: ClusterLoss, verdict: Verdict) -> None:
    assert loss.source_database_gone(given, LOST).verdict is verdict
