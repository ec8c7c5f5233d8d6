"""Record kinds and checks of timing and provenance."""

from __future__ import annotations

from dalp_dr.model.check import Check, Stage
from dalp_dr.model.record import RecordKind
from dalp_dr.timing import audit, measure, provenance

KINDS: tuple[RecordKind, ...] = (
    RecordKind("provenance", provenance.ProvenanceFacts, "plan"),
    RecordKind("timing", measure.TimingFacts, "measure", derived=measure.figures),
    RecordKind("run_audit", audit.RunAudit, "plan"),  # about the run itself: it does not say that a later stage was reached
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
    Check(
        "no_task_marked",
        "run_audit",
        None,
        Stage.SEAL,
        "Did every task end by itself?",
        audit.judge_nothing_marked,
        "Write the step that was missing into a runbook; start a new drill.",
        "drill.md#marked-by-hand",
    ),
    Check(
        "reruns_explained",
        "run_audit",
        None,
        Stage.SEAL,
        "Is there a reason for every rerun?",
        audit.judge_reruns_explained,
        "Ask whoever cleared the task; write the missing step into a runbook; start a new drill.",
        "drill.md#rerun",
    ),
    Check(
        "code_unchanged",
        "run_audit",
        None,
        Stage.SEAL,
        "Is it one drill, by one code and one environment file?",
        audit.judge_unchanged,
        "Install the change, then start a new drill.",
        "drill.md#changed-meanwhile",
    ),
)
