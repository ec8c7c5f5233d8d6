"""Faults that act in the middle of a drill: each once, as soon as its task is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dalp_dr_lab.crashes.crash import Crash
from dalp_dr_lab.drill.rest import TaskInstance
from dalp_dr_lab.faults.fault import Fault


@dataclass(slots=True)
class Meanwhile:
    """Looks at the tasks of a run and lets faults act; `act` gets the fault's name."""

    faults: Sequence[Fault | Crash]
    act: Callable[[str], None]
    say: Callable[[str], None]
    done: set[str] = field(default_factory=set)

    def __call__(self, instances: Iterable[TaskInstance]) -> None:
        """A fault acts once, and is told to people; what it raises ends the watch, since the drill then shows nothing of it."""
        states = {(one.task_id, one.state) for one in instances}
        for fault in self.faults:
            if fault.moment is None or fault.name in self.done:
                continue
            if any((fault.moment.task_id, state) in states for state in fault.moment.states):
                self.done.add(fault.name)
                self.say(f"  {fault.name} now: {fault.sentence}")
                self.act(fault.name)

    @property
    def missed(self) -> tuple[str, ...]:
        """Faults whose moment has not come."""
        return tuple(one.name for one in self.faults if one.moment is not None and one.name not in self.done)
