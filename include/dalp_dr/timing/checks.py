"""Record kinds and checks of timing and provenance."""

from __future__ import annotations

from dalp_dr.model.check import Check, Stage
from dalp_dr.model.record import RecordKind
from dalp_dr.timing import measure, provenance

KINDS: tuple[RecordKind, ...] = (
    RecordKind("provenance", provenance.ProvenanceFacts, "plan"),
    RecordKind("timing", measure.TimingFacts, "measure"),
    RecordKind("attempt", provenance.AttemptFacts, "plan", lambda plan: ()),
)
CHECKS: tuple[Check, ...] = (
    Check(
        "targets_precede_run",
        "provenance",
        None,
        Stage.PLAN,
        "Were the targets approved before the run?",
        provenance.judge_targets_precede,
        "Set targets before a drill, not after it.",
        "timing.md#targets",
    ),
    Check(
        "rto_met",
        "timing",
        None,
        Stage.MEASURE,
        "Was it back in time?",
        measure.judge_rto,
        "See which phase took longest and the setting that shortens it; or change the target with its approver.",
        "timing.md#rto",
        full_only=True,
    ),
    Check(
        "rpo_met",
        "timing",
        None,
        Stage.MEASURE,
        "Is little enough lost?",
        measure.judge_rpo,
        "Raise the backup frequency of the surface that missed, or change its target with its approver.",
        "timing.md#rpo",
        full_only=True,
    ),
    Check(
        "rtt_met",
        "timing",
        None,
        Stage.MEASURE,
        "Was everything verified in time?",
        measure.judge_rtt,
        "See which verification took longest.",
        "timing.md#rtt",
        full_only=True,
    ),
    Check(
        "times_in_order",
        "timing",
        None,
        Stage.MEASURE,
        "Are all moments in a possible order?",
        measure.judge_order,
        "Compare the clocks of worker, cluster and database; distrust this run's figures.",
        "timing.md#clocks",
    ),
)
