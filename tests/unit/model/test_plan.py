"""A plan is frozen: it comes back from its file as it was, and says what it covers."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import Any

import pydantic
import pytest

from dalp_dr.model.check import Surface
from dalp_dr.model.plan import DrillPlan, utc
from velero_sample import PLAN

ROLES = ("app", "support", "observability")


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        replace(PLAN, database=None, configuration=None, backups=(), policy="edge", keep_sandbox=True),
        replace(PLAN, surfaces=(Surface.DATABASE,), full=False),
        replace(PLAN, checklist=7),
    ],
    ids=["full", "without recovery points", "one surface", "another checklist"],
)
def test_round_trip_through_json(plan: DrillPlan) -> None:
    again = DrillPlan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again == plan
    assert again.to_dict() == plan.to_dict()


def test_every_field_is_read_back() -> None:
    assert {f.name for f in dataclasses.fields(DrillPlan)} == set(PLAN.to_dict())


def test_a_plan_of_before_there_were_checklists_has_the_first() -> None:
    old = PLAN.to_dict()
    del old["checklist"]
    assert DrillPlan.from_dict(old).checklist == 1


WRONG = {
    "a field that is not known": lambda d: d.update(other=1),
    "a field is missing": lambda d: d.pop("incident_time"),
    "an unknown surface": lambda d: d.update(surfaces=["network"]),
    "an unknown policy": lambda d: d.update(policy="newest"),
    "a point without its backup": lambda d: d["backups"][0].pop("backup"),
    "an environment with an unknown field": lambda d: d["environment"].update(owner="x"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_changed_shape_is_refused(case: str) -> None:
    data: dict[str, Any] = json.loads(json.dumps(PLAN.to_dict()))
    WRONG[case](data)
    with pytest.raises((KeyError, ValueError, pydantic.ValidationError)):
        DrillPlan.from_dict(data)


def test_nothing_of_it_can_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PLAN.incident_time = "now"  # type: ignore[misc]
    with pytest.raises(pydantic.ValidationError):
        PLAN.environment.targets.rto_seconds = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("surfaces", "covered"),
    [
        (tuple(Surface), ROLES),
        ((Surface.KUBERNETES_RESOURCES,), ROLES),
        ((Surface.OBSERVABILITY,), ("observability",)),
        ((Surface.DATABASE, Surface.OBJECT_STORAGE), ()),
    ],
    ids=["all", "resources", "observability", "database and objects"],
)
def test_covered_roles(surfaces: tuple[Surface, ...], covered: tuple[str, ...]) -> None:
    assert replace(PLAN, surfaces=surfaces).covered_roles == covered


def test_who_is_who() -> None:
    assert (PLAN.roles, PLAN.database_role, PLAN.backup("support").namespace) == (ROLES, "app", "dalp-support")
    assert len({PLAN.namespace(r) for r in ROLES}) == 3


@pytest.mark.parametrize("text", ["2026-10-06T06:00:00Z", "2026-10-06T06:00:00+00:00", "2026-10-06T08:00:00+02:00"])
def test_one_moment_however_it_is_written(text: str) -> None:
    assert utc(text).timestamp() == 1791266400
