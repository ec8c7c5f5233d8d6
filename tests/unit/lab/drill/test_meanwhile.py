"""Faults that act in the middle of a drill: at their moment, once, and told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dalp_dr_lab.drill import options
from dalp_dr_lab.drill.meanwhile import Meanwhile
from dalp_dr_lab.drill.rest import TaskInstance
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults import registry
from dalp_dr_lab.faults.fault import Fault, Moment, nothing


def _task(task_id: str, state: str | None) -> TaskInstance:
    return TaskInstance(task_id, -1, 1, state, None, None)


def _fault(name: str, moment: Moment | None) -> Fault:
    return Fault(name, "Something breaks.", ("a",), nothing, nothing, moment=moment)


def test_a_fault_acts_at_its_moment_and_once() -> None:
    acted: list[str] = []
    said: list[str] = []
    fault = _fault("late", Moment("restore.kubernetes_app", ("running", "deferred")))
    meanwhile = Meanwhile([fault, _fault("before", None)], acted.append, said.append)
    meanwhile([_task("plan.freeze", "running"), _task("restore.kubernetes_app", None)])
    assert (acted, meanwhile.missed) == ([], ("late",))
    meanwhile([_task("restore.kubernetes_app", "deferred")])
    meanwhile([_task("restore.kubernetes_app", "deferred")])
    assert (acted, meanwhile.missed) == (["late"], ())
    assert said == ["  late now: Something breaks."]


def test_a_fault_that_cannot_act_ends_the_watch() -> None:
    def fail(name: str) -> None:
        raise LabError("nothing to break")

    meanwhile = Meanwhile([_fault("late", Moment("a", ("running",)))], fail, lambda text: None)
    with pytest.raises(LabError, match="nothing to break"):
        meanwhile([_task("a", "running")])


def test_moments_are_tasks_that_a_drill_has() -> None:
    """By the task ids of the flow: a fault that waits for a task nobody runs would never act."""
    known = {"plan.freeze", "isolate.canaries", "restore.kubernetes_app", "start.services"}
    for fault in registry.FAULTS.values():
        assert (fault.during is None) == (fault.moment is None), fault.name
        assert fault.moment is None or fault.moment.task_id in known, fault.name


def test_what_a_fault_asks_for_is_what_the_drill_is_asked_for() -> None:
    words = registry.asked(["one-wei", "target-past-archive"])
    wanted = options.parse(["--fault", "target-past-archive", *words])
    moment = options.conf(wanted)["target_value"]
    assert isinstance(moment, str) and abs((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()) < 5
    with pytest.raises(LabError, match="each ask for a drill of their own"):
        registry.asked(["target-past-archive", "target-before-window"])
