"""What a run's task instances say about its stages, and how a stage is shown in one line. Values in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dalp_dr_lab.drill.rest import TaskInstance

# Every drill's stages in the order of the graph; a drill shows those it has.
STAGES = (
    "plan",
    "preflight",
    "simulate",
    "rebuild",
    "isolate",
    "restore",
    "verify",
    "start",
    "reconcile",
    "route_switch",
    "measure",
    "seal",
    "sign_off",
    "report",
    "targets",
    "decide",
    "teardown",
)
# How a task that has not ended is said to wait; states that are not here have ended or were never reached.
_WAITS = {
    "running": "",
    "deferred": "",
    "queued": "queued",
    "scheduled": "queued",
    "restarting": "restarting",
    "up_for_retry": "will be tried again",
    "up_for_reschedule": "will look again",
    "awaiting_input": "asks a person",
}
_MARKS = {"waiting": "·", "running": "▸", "passed": "✓", "failed": "✗", "not reached": "-", "skipped": "-"}
_NAMES_SHOWN = 4


class StageState(StrEnum):
    """Where a stage stands. NOT_REACHED: its ground is missing; SKIPPED: the drill leaves it out."""

    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not reached"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage as it is shown. `elapsed_seconds` is None before it began; `active` are its unfinished tasks."""

    name: str
    state: StageState
    elapsed_seconds: float | None
    active: tuple[TaskInstance, ...] = ()
    failed: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()


def stage_of(task_id: str) -> str:
    """The stage of a task: its outermost task group."""
    return task_id.split(".", 1)[0]


def short_name(instance: TaskInstance) -> str:
    """A task's name inside its stage, with the index of a mapped one."""
    name = instance.task_id.split(".", 1)[-1]
    return f"{name}[{instance.map_index}]" if instance.map_index >= 0 else name


def views(instances: Iterable[TaskInstance], now: datetime) -> tuple[StageView, ...]:
    """Every stage of a run in the order of the graph; stages this page does not know come last."""
    groups: dict[str, list[TaskInstance]] = {}
    for instance in instances:
        groups.setdefault(stage_of(instance.task_id), []).append(instance)
    order = [name for name in STAGES if name in groups] + [name for name in groups if name not in STAGES]
    return tuple(_view(name, groups[name], now) for name in order)


def _view(name: str, instances: Sequence[TaskInstance], now: datetime) -> StageView:
    active = tuple(one for one in instances if one.state in _WAITS)
    failed = tuple(short_name(one) for one in instances if one.state == "failed")
    missed = tuple(short_name(one) for one in instances if one.state == "upstream_failed")
    state = _state(instances, bool(active), bool(failed))
    begun = [one.started_at for one in instances if one.started_at and one.state != "upstream_failed"]
    if not begun or state in (StageState.WAITING, StageState.NOT_REACHED, StageState.SKIPPED):
        return StageView(name, state, None, active, failed, missed)
    ended = [one.ended_at for one in instances if one.ended_at]
    last = max(ended) if state in (StageState.PASSED, StageState.FAILED) and ended else now
    return StageView(name, state, max(0.0, (last - min(begun)).total_seconds()), active, failed, missed)


def _state(instances: Sequence[TaskInstance], active: bool, failed: bool) -> StageState:
    states = {one.state for one in instances}
    begun = any(one.started_at for one in instances)
    if active or (None in states and begun and states - {None, "upstream_failed", "skipped", "removed"}):
        return StageState.RUNNING
    if None in states:
        return StageState.WAITING
    if failed:
        return StageState.FAILED
    if "upstream_failed" in states and "success" not in states:
        return StageState.NOT_REACHED
    return StageState.PASSED if "success" in states else StageState.SKIPPED


def clock(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def waiting_for(view: StageView, hints: dict[str, str]) -> str:
    """What a stage waits for: its unfinished tasks by name, how they wait, and `{task id: hint}` where there is one."""
    named = [_named(one, hints) for one in view.active[:_NAMES_SHOWN]]
    more = len(view.active) - _NAMES_SHOWN
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _named(instance: TaskInstance, hints: dict[str, str]) -> str:
    about = [_WAITS[instance.state or "queued"]]
    if instance.try_number > 1:
        about.append(f"try {instance.try_number}")
    about.append(hints.get(instance.task_id, ""))
    said = "; ".join(part for part in about if part)
    return f"{short_name(instance)} ({said})" if said else short_name(instance)


def line(view: StageView, hints: dict[str, str]) -> str:
    """One stage in one line: mark, name, elapsed, what it waits for and what failed in it."""
    elapsed = "" if view.elapsed_seconds is None else clock(view.elapsed_seconds)
    words = [waiting_for(view, hints)] if view.active else []
    if view.failed:
        words.append("failed: " + ", ".join(view.failed))
    if view.state in (StageState.NOT_REACHED, StageState.SKIPPED):
        words.append(view.state.value)
    elif view.missed and not view.active:
        words.append("not reached: " + ", ".join(view.missed))
    return f"{_MARKS[view.state.value]} {view.name:<12}{elapsed:>8}  {'; '.join(words)}".rstrip()


def changes(before: Sequence[StageView], after: Sequence[StageView]) -> tuple[StageView, ...]:
    """The stages whose line says something new, elapsed time apart."""
    known = {view.name: _saying(view) for view in before}
    return tuple(
        view
        for view in after
        if _saying(view) != known.get(view.name) and not (view.name not in known and view.state == StageState.WAITING)
    )


def _saying(view: StageView) -> tuple[object, ...]:
    waits = tuple((one.task_id, one.map_index, one.try_number, _WAITS[one.state or "queued"]) for one in view.active)
    return view.state, waits, view.failed, view.missed
