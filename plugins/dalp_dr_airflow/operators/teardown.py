"""Teardown: removes what is proven to be this drill's, proves it gone, and keeps a red drill's sandbox for on-call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from dalp_dr import decide
from dalp_dr.evidence import bundle, statement
from dalp_dr_airflow import fence
from dalp_dr_airflow.drill import Drill, now
from dalp_dr_airflow.errors import SandboxKeptError
from dalp_dr_airflow.operators.abort import seal_aborted, why_stopped
from dalp_dr_airflow.operators.breach import breached
from dalp_dr_airflow.operators.route_switch import put_back
from dalp_dr_airflow.operators.seal import bundles, current_bundle, newest_bundle, state_after_seal
from dalp_dr_airflow.removal import GONE_SECONDS, Removal

if TYPE_CHECKING:
    from airflow.sdk import Context


class SandboxTeardownOperator(BaseOperator):
    """Removes the sandbox when the drill proposes READY and nobody asked to keep it; always when it was stopped or something got out."""

    def execute(self, context: Context) -> dict[str, Any]:
        drill = Drill.open(context)
        put_back(drill)  # should the task that switched the route have been killed
        stopped = why_stopped(drill)
        sealed = current_bundle(drill) if bundles(drill) and not stopped else self.aborted(drill, stopped)
        if not must_go(drill, sealed, stopped):
            kept = removal(drill).remaining()
            say(drill, (), kept, drill.plan.expires_at)
            raise SandboxKeptError(f"The sandbox is kept for on-call until {drill.plan.expires_at}: {', '.join(kept)}.")
        removed, remaining = remove(drill)
        say(drill, removed, remaining, None)
        if stopped:
            fence.release(drill)
        if remaining:
            raise SandboxKeptError(f"Still there after {GONE_SECONDS} s: {', '.join(remaining)}. See runbook drill.md#teardown.")
        return {"removed": len(removed)}

    @staticmethod
    def aborted(drill: Drill, stopped: str | None) -> bundle.Bundle:
        """Of a run that somebody stopped, or that ended before its seal; its lease is given back once nothing is left of it."""
        sealed = seal_aborted(drill, stopped or "the run ended before its seal")
        if not stopped:
            fence.release(drill)
        return sealed


def must_go(drill: Drill, sealed: bundle.Bundle, stopped: str | None) -> bool:
    """Whether the sandbox is removed now."""
    dossier = sealed.dossier()
    if stopped or breached(dossier):
        return True
    return decide.propose(dossier, sealed.aborted).verdict.value == "pass" and not drill.plan.keep_sandbox


def removal(drill: Drill) -> Removal:
    """What this drill made, through its own identity."""
    return Removal(drill.plan, drill.sandbox, drill.velero, drill.backup_store)


def remove(drill: Drill, seconds: float = GONE_SECONDS) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what was removed, what is still there after so long)."""
    own = removal(drill)
    removed = own.remove()
    return removed, own.wait(seconds)


def say(drill: Drill, removed: tuple[str, ...], remaining: tuple[str, ...], kept_until: str | None) -> None:
    """The teardown's signed statement about the newest bundle, and its entry in the ledger. What was said already is not said again."""
    if not (removed or remaining or kept_until) and fence.torn_down(drill):
        return
    said = statement.teardown(drill.drill_id, newest_bundle(drill).manifest_sha256, now(), removed, remaining, kept_until)
    state_after_seal(drill, "teardown", said, {"kept_until": kept_until} if kept_until else {"remaining": list(remaining)})
