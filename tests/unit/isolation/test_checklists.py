"""A right that came with a later checklist is not asked of a drill that was planned by an earlier one."""

from __future__ import annotations

from dataclasses import replace

from dalp_dr.isolation import privileges
from dalp_dr.isolation.privileges import Access, Answer, Privileges
from dalp_dr.model.check import Verdict
from sandbox_sample import PLAN

LIST_MAPS = Access("drill", "list", "", "configmaps", "", PLAN.environment.source.velero_namespace)


def test_a_later_right_is_granted_and_asked_from_its_checklist_on() -> None:
    old, new = (privileges.needed(PLAN.environment, version) for version in (1, 2))
    assert (LIST_MAPS in old, LIST_MAPS in new) == (False, True)


def test_an_earlier_drill_is_judged_by_what_it_was_asked() -> None:
    said = Privileges(tuple(Answer(access, True) for access in privileges.needed(PLAN.environment, 1)), (), ())
    assert privileges.needed_verbs_allowed(said, replace(PLAN, checklist=1)).verdict is Verdict.PASS
    assert privileges.needed_verbs_allowed(said, replace(PLAN, checklist=2)).verdict is Verdict.INCONCLUSIVE
