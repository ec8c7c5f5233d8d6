"""Every record kind and every check of a drill, in the order of the stages."""

from __future__ import annotations

from dalp_dr.chain import checks as chain
from dalp_dr.cluster_loss import checks as cluster_loss
from dalp_dr.configuration import checks as configuration
from dalp_dr.database import checks as database
from dalp_dr.database import safety as archive
from dalp_dr.isolation import checks as isolation
from dalp_dr.kubernetes_resources import checks as kubernetes_resources
from dalp_dr.kubernetes_resources import safety
from dalp_dr.model.check import Check, Stage
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import RecordKind
from dalp_dr.object_storage import checks as object_storage
from dalp_dr.observability import checks as observability
from dalp_dr.services import checks as services
from dalp_dr.timing import checks as timing

_PARTS = (
    isolation,
    cluster_loss,
    database,
    archive,
    kubernetes_resources,
    safety,
    object_storage,
    observability,
    configuration,
    services,
    chain,
    timing,
)
KINDS: dict[str, RecordKind] = {kind.name: kind for part in _PARTS for kind in part.KINDS}
CHECKS: tuple[Check, ...] = tuple(sorted((c for part in _PARTS for c in part.CHECKS), key=lambda c: list(Stage).index(c.stage)))


def checks_of(kind: str) -> tuple[Check, ...]:
    """The checks that judge records of this kind."""
    return tuple(c for c in CHECKS if c.kind == kind)


def asked(check: Check, plan: DrillPlan) -> bool:
    """Whether a drill asks this check: its checklist has it, it is about a surface the drill covers or about the drill itself,
    and production is there to answer it, or is not where the check is about its loss.
    """
    answerable = check.source == "any" or (check.source == "lost") == plan.source_lost
    covered = check.surface is None or check.surface in plan.surfaces
    return check.since <= plan.checklist and answerable and covered and (plan.full or not check.full_only)


def required(plan: DrillPlan) -> tuple[tuple[Check, str], ...]:
    """Every (check, subject) this drill must answer; what is not answered counts as inconclusive.

    A check about a surface the drill does not cover is not required; a drill over all five surfaces requires all of them.
    """
    return tuple((check, subject) for check in CHECKS if asked(check, plan) for subject in KINDS[check.kind].subjects(plan))


def younger(plan: DrillPlan) -> tuple[Check, ...]:
    """The checks of this version that came after the drill's checklist: it was never asked them."""
    return tuple(check for check in CHECKS if check.since > plan.checklist)
