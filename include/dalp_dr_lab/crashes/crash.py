"""What a crash is: a moment of a drill, and what dies then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dalp_dr_lab.faults.fault import Moment
from dalp_dr_lab.lab import Lab

if TYPE_CHECKING:
    from dalp_dr_lab.drill.rest import AirflowApi, DagRun


@dataclass(frozen=True)
class Scene:
    """The drill that a crash happens to."""

    lab: Lab
    api: AirflowApi
    run: DagRun
    drill_id: str


@dataclass(frozen=True)
class Crash:
    """One crash. `act` ends something by its pid and sees to it that whatever would start it again in production does so here.

    Crashes of one `group` happen in one drill, one after another.
    """

    name: str
    sentence: str
    moment: Moment
    act: Callable[[Scene], None]
    group: str
