"""Ways in which a drill once could have been green for a wrong reason. Each stays closed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import sandbox_sample
import synthetic_drill
from dalp_dr import decide
from dalp_dr.database import recovered
from dalp_dr.dossier import Dossier
from dalp_dr.evidence import bundle
from dalp_dr.succession import outdated

PLAN = synthetic_drill.a_plan()
GOOD = synthetic_drill.good_records(PLAN)


# ---- an older answer stays in force


def test_figures_of_before_a_rerun_are_not_believed() -> None:
    again = synthetic_drill.a_record(PLAN, "reconciliation", attempt=2)
    proposal = decide.propose(Dossier(PLAN, (*GOOD, again), **synthetic_drill.CATALOGUE))
    assert proposal.decision is decide.Decision.FIX
    assert [r.check for r in proposal.reasons] == ["records_current"]
    assert proposal.reasons[0].findings == ("timing--drill--01.json was begun before reconciliation--drill--02.json was written",)


def test_a_rerun_of_everything_after_it_is_current() -> None:
    again = [synthetic_drill.a_record(PLAN, kind, attempt=2) for kind in ("reconciliation", "configuration")]
    timing = synthetic_drill.a_record(PLAN, "timing", facts=synthetic_drill.TIMING, attempt=2)
    dossier = Dossier(PLAN, (*GOOD, *again, timing), **synthetic_drill.CATALOGUE)
    assert decide.propose(dossier).decision is decide.Decision.READY


OLDER = {
    "a restore was made again after its inventory": ("restore_run", "app", "namespace_inventory", "app", True),
    "a restore of another namespace was made again": ("restore_run", "support", "namespace_inventory", "app", False),
    "the database was recovered again after it was reconciled": ("database_recovery", "drill", "reconciliation", "drill", True),
    "the database was recovered again after the services were healthy": ("database_recovery", "drill", "application_health", "drill", True),
    "a check was repeated that nothing stands on": ("capacity", "drill", "reconciliation", "drill", False),
}


@pytest.mark.parametrize(("ground", "of", "kind", "subject", "is_outdated"), OLDER.values(), ids=OLDER.keys())
def test_a_record_older_than_what_it_looked_at_proves_nothing(ground: str, of: str, kind: str, subject: str, is_outdated: bool) -> None:
    looked = synthetic_drill.a_record(PLAN, kind, subject)
    made = [synthetic_drill.a_record(PLAN, ground, of, attempt=n, recorded_at=f"2026-10-06T06:0{n}:30Z") for n in (1, 4)]
    assert bool(outdated(Dossier(PLAN, (looked, *made)))) is is_outdated


def test_records_written_after_the_seal_are_named() -> None:
    sealed = synthetic_drill.sealed(PLAN, GOOD)
    failing = synthetic_drill.a_record(PLAN, "reconciliation", facts=synthetic_drill.CountFacts(3, 2), attempt=2)
    assert bundle.unsealed(sealed, GOOD) == ()
    assert bundle.unsealed(sealed, (*GOOD, failing)) == ("reconciliation--drill--02.json",)


# ---- the starter signs


def test_the_starter_cannot_sign_under_the_number_of_the_account() -> None:
    environment = PLAN.environment.model_copy(update={"owners": (synthetic_drill.Owner(user="7", name="Alice"),)})
    plan = replace(PLAN, environment=environment, started_by="alice")
    at = "2026-10-06T06:20:00Z"
    answer = decide.SignOff(plan.drill_id, "ab" * 32, "7", True, "", at, "airflow_account", "owner", signer_name="alice")
    assert "started the drill" in str(decide.sign_off_problem(plan, "ab" * 32, answer))
    assert "cleared" in str(decide.sign_off_problem(replace(plan, started_by="sam"), "ab" * 32, answer, ("alice",)))


# ---- a database that never became ready


def a_cluster(ready: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "dalp-pg", "namespace": "dalp-drill-1-app", "creationTimestamp": "2026-10-06T06:01:00Z"},
        "status": {"conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-10-06T06:02:00Z"}]},
    }


@pytest.mark.parametrize(("ready", "at"), [("True", "2026-10-06T06:02:00Z"), ("False", None), ("Unknown", None)])
def test_only_a_ready_database_has_a_moment_at_which_it_was_ready(ready: str, at: str | None) -> None:
    assert recovered.facts_from(sandbox_sample.PLAN, a_cluster(ready), None, None).healthy_at == at
