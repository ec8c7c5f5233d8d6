"""Record kinds and checks about what a restore must not do: run production's code, or bring what leads back to production.

They are about the drill itself and no surface: a drill over any restored namespace asks them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dalp_dr.kubernetes_resources import exposure, held
from dalp_dr.model.check import Check, CheckResult, Stage
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import RecordKind

KINDS: tuple[RecordKind, ...] = (
    RecordKind("exposure", exposure.Exposure, "preflight", lambda plan: plan.covered_roles),
    RecordKind("held_pods", held.HeldPods, "restore", lambda plan: plan.covered_roles),
    RecordKind("exposure_restored", exposure.Exposure, "verify", lambda plan: plan.covered_roles),
)


def _check(
    id_: str,
    kind: str,
    stage: Stage,
    question: str,
    judge: Callable[[Any, DrillPlan], CheckResult],
    next_step: str,
    section: str,
    refuses: bool = False,
) -> Check:
    return Check(id_, kind, None, stage, question, judge, next_step, f"isolation.md#{section}", refuses=refuses, since=2)


CHECKS: tuple[Check, ...] = (
    _check(
        "secrets_declared",
        "exposure",
        Stage.PREFLIGHT,
        "Will every restored Secret be sealed or be declared harmless?",
        exposure.judge_secrets,
        "Add each Secret to seal_secrets, to leave_out, or with its reason to keep_secrets in the environment file.",
        "undeclared-secrets",
        refuses=True,
    ),
    _check(
        "references_rewritten",
        "exposure",
        Stage.PREFLIGHT,
        "Will nothing that is restored lead back to production?",
        exposure.judge_references,
        "Rewrite each value under configuration, seal it, or declare it with its reason in keep_references.",
        "references",
        refuses=True,
    ),
    _check(
        "nothing_ran_before_start",
        "held_pods",
        Stage.RESTORE,
        "Did no restored container run before the drill starts it?",
        held.judge_nothing_ran,
        "Stop: find out what released the container, and what it reached, before anything else.",
        "held-pods",
    ),
    _check(
        "restored_secrets_declared",
        "exposure_restored",
        Stage.VERIFY,
        "Is every Secret in the sandbox sealed or declared harmless?",
        exposure.judge_secrets,
        "Tear the sandbox down; find out why the seal of preflight did not hold.",
        "undeclared-secrets",
    ),
    _check(
        "restored_references_rewritten",
        "exposure_restored",
        Stage.VERIFY,
        "Does nothing in the sandbox lead back to production?",
        exposure.judge_references,
        "Tear the sandbox down; find out why the rewrite of preflight did not hold.",
        "references",
    ),
)
