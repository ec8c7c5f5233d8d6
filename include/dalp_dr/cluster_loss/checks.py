"""Record kinds and checks of the annual test: production is gone, and the ground for a recovery is there again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dalp_dr.cluster_loss import escrow, loss, platform
from dalp_dr.model.check import Check, CheckResult, Stage, Surface
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import RecordKind

KINDS: tuple[RecordKind, ...] = (
    RecordKind("cluster_loss", loss.ClusterLoss, Stage.SIMULATE),
    RecordKind("platform", platform.Platform, Stage.REBUILD),
    RecordKind("renderings", platform.Renderings, Stage.REBUILD),
    RecordKind("escrow", escrow.EscrowFacts, Stage.REBUILD),
)


def _check(
    id_: str,
    kind: str,
    stage: Stage,
    question: str,
    judge: Callable[[Any, DrillPlan], CheckResult],
    next_step: str,
    section: str,
    surface: Surface | None = None,
) -> Check:
    return Check(
        id_, kind, surface, stage, question, judge, next_step, f"cluster-loss.md#{section}", full_only=True, since=2, source="lost"
    )


CHECKS: tuple[Check, ...] = (
    _check(
        "source_cluster_gone",
        "cluster_loss",
        Stage.SIMULATE,
        "Are production's API and live objects gone for the drill?",
        loss.source_cluster_gone,
        "Cut the drill's way to production, or withdraw its connection; then start a new test.",
        "production-still-answers",
    ),
    _check(
        "source_database_gone",
        "cluster_loss",
        Stage.SIMULATE,
        "Is production's database gone for the drill?",
        loss.source_database_gone,
        "Cut the drill's way to production's database; then start a new test.",
        "production-still-answers",
    ),
    _check(
        "operators_rebuilt",
        "platform",
        Stage.REBUILD,
        "Do the operators run in the recovery cluster, at their recorded versions?",
        platform.operators_rebuilt,
        "Install the recorded version, or record in Git what production runs.",
        "operators",
    ),
    _check(
        "apis_served",
        "platform",
        Stage.REBUILD,
        "Does the recovery cluster serve every API that production needs?",
        platform.apis_served,
        "Install the missing CustomResourceDefinitions at the recorded version.",
        "operators",
    ),
    _check(
        "configuration_renders",
        "renderings",
        Stage.REBUILD,
        "Can Git alone rebuild the configuration there?",
        platform.configuration_renders,
        "Install what serves the missing kinds, or repair chart and values in Git.",
        "rendering",
        Surface.CONFIGURATION,
    ),
    _check(
        "escrow_complete",
        "escrow",
        Stage.REBUILD,
        "Does the escrow open, and hold every Secret that the releases need?",
        escrow.escrow_complete,
        "Add the Secret to the escrow, and whatever writes the escrow to the list of what it must hold.",
        "escrow",
        Surface.CONFIGURATION,
    ),
    _check(
        "escrow_current",
        "escrow",
        Stage.REBUILD,
        "Are the Secrets in the escrow those that production used?",
        escrow.escrow_current,
        "Write the escrow anew after each rotation.",
        "escrow",
        Surface.CONFIGURATION,
    ),
)
