"""Something got out of the sandbox, or wrote where only production may: the drill ends at once.

On-call is paged, then everything the drill made is deleted, by token and UID, without waiting for anybody. The record was
stored before, so that what was seen stays; the teardown proves later that everything is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dalp_dr.dossier import Dossier
from dalp_dr.model.check import Verdict
from dalp_dr_airflow.hooks.errors import CallError
from dalp_dr_airflow.notifications.page import page
from dalp_dr_airflow.removal import Removal

if TYPE_CHECKING:
    from dalp_dr_airflow.drill import Drill

BREACHES = ("canaries_refused", "archive_untouched")


def end_at_once(drill: Drill, what: str, findings: list[str], next_step: str, runbook: str) -> tuple[str, ...]:
    """Pages, then asks for the removal of everything that is proven to be this drill's. What fails is paged; the teardown tries again."""
    page(drill.drill_id, drill.environment.name, what, findings, next_step, runbook)
    try:
        return Removal(drill.plan, drill.sandbox, drill.velero, drill.backup_store).remove()
    except CallError as error:
        page(drill.drill_id, drill.environment.name, "The sandbox could not be deleted", [str(error)], "Delete it by hand.", runbook)
        return ()


def breached(dossier: Dossier) -> bool:
    """Whether this drill's records show that something got out: then no sandbox is kept."""
    return any(o.check.id in BREACHES and o.result.verdict is Verdict.FAIL for o in dossier.outcomes())
