"""What each checklist asks is pinned: a bundle of an older one must stay readable as what it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dalp_dr import catalogue
from dalp_dr.evidence import canonical
from dalp_dr.model.check import CHECKLIST
from synthetic_drill import a_plan

RELEASED = {1: (62, "55bfa6c533bbe5d5")}  # checklist: how many checks, digest of their names


def names(checklist: int) -> list[str]:
    return sorted(check.id for check in catalogue.CHECKS if check.since <= checklist)


@pytest.mark.parametrize("checklist", sorted(RELEASED))
def test_a_released_checklist_is_not_changed(checklist: int) -> None:
    found = names(checklist)
    assert (len(found), canonical.sha256("\n".join(found).encode())[:16]) == RELEASED[checklist]


def test_every_check_belongs_to_a_checklist_of_this_version() -> None:
    assert {check.since for check in catalogue.CHECKS} <= set(range(1, CHECKLIST + 1))


def test_a_drill_is_asked_its_own_checklist_and_the_younger_checks_are_named() -> None:
    old, new = a_plan(), replace(a_plan(), checklist=CHECKLIST, route_switch=True)
    asked_old, asked_new = ({check.id for check, _ in catalogue.required(plan)} for plan in (old, new))
    later = {check.id for check in catalogue.younger(old) if catalogue.KINDS[check.kind].subjects(new)}
    of_a_loss = {check.id for check in catalogue.CHECKS if check.source == "lost"}
    assert asked_new - asked_old == later - of_a_loss and not catalogue.younger(new)


def test_what_only_living_production_can_answer_is_not_asked_after_its_loss() -> None:
    alive, lost = replace(a_plan(), checklist=CHECKLIST), replace(a_plan(), checklist=CHECKLIST, source_lost=True)
    asked_alive, asked_lost = ({check.id for check, _ in catalogue.required(plan)} for plan in (alive, lost))
    assert asked_alive - asked_lost == {"backup_schedule_active", "every_pod_selected", "release_values_match_git"}
    assert asked_lost - asked_alive == {check.id for check in catalogue.CHECKS if check.source == "lost"} != set()
