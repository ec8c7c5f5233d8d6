"""Follows one run to its end: shows its stages, plays the owner where that is wanted, gives up at a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dalp_dr_lab.drill import closing, hints, progress, sign_off
from dalp_dr_lab.drill.rest import AirflowApi, ApiError, DagRun, Question, TaskInstance
from dalp_dr_lab.drill.screen import Screen
from dalp_dr_lab.errors import LabError

POLL_SECONDS = 2.0
SILENCE_SECONDS = 180.0  # as long may the API server be away: drills survive its restart, so does the watcher


@dataclass(slots=True)
class Watch:
    """One run under watch. `owner` is None when a person signs."""

    api: AirflowApi
    owner: AirflowApi | None
    run: DagRun
    screen: Screen
    task_logs: Path
    drill: Path
    deadline_seconds: float
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    look_on: Callable[[Sequence[TaskInstance]], None] = lambda instances: None  # told of the tasks at every look
    instances: list[TaskInstance] = field(default_factory=list)
    _patience: sign_off.Patience = field(default_factory=sign_off.Patience)
    _told: set[tuple[str, int]] = field(default_factory=set)

    @property
    def page(self) -> str:
        """Address of the run in Airflow's web page."""
        return f"{self.api.url}/dags/{self.run.dag_id}/runs/{self.run.run_id}"

    def until_end(self) -> DagRun:
        """The run when it has ended. LabError at the deadline; the run itself goes on."""
        began = answered_at = self.monotonic()
        while True:
            try:
                self._look()
                answered_at = self.monotonic()
            except ApiError as error:
                if error.status not in (0, 500, 502, 503, 504) or self.monotonic() - answered_at > SILENCE_SECONDS:
                    raise
            if self.run.ended:
                return self.run
            if self.monotonic() - began > self.deadline_seconds:
                raise LabError(self._overdue())
            self.sleep(POLL_SECONDS)

    def failed_tasks(self) -> tuple[str, ...]:
        """Names of the failed tasks of the run as last seen."""
        return tuple(one.task_id for one in self.instances if one.state == "failed")

    def _look(self) -> None:
        run = self.api.run(self.run.dag_id, self.run.run_id)  # before the tasks: an ended run has no newer ones
        self.instances = self.api.task_instances(run.dag_id, run.run_id)
        self.run = run
        self.look_on(self.instances)
        active = [one for one in self.instances if one.state in ("running", "deferred", "up_for_retry")]
        said = {one.task_id: hints.last_words(self.task_logs, run, one) for one in active}
        self.screen.show(progress.views(self.instances, datetime.now(UTC)), said)
        if any(one.state == "awaiting_input" for one in self.instances):
            for question in self.api.questions(run.dag_id, run.run_id):
                self._attend(question)

    def _attend(self, question: Question) -> None:
        key = (question.task_id, question.try_number)
        if key not in self._told:
            self._told.add(key)
            self.screen.say(f"  {question.subject}")
            if self.owner is None:
                who = ", ".join(question.assigned_users) or "a signer"
                self.screen.say(f"  Waiting for a person: log in as {who} at {self._page(question)}")
        if self.owner is None or not self._patience.due(question, self.monotonic()):
            return
        self._patience.count(question)
        chosen = sign_off.answer(question, self._sealed_digest())
        try:
            self.owner.answer(self.run.dag_id, self.run.run_id, question, chosen.option, chosen.form)
        except ApiError as error:
            if error.status != 409:  # somebody answered first
                raise
            return
        self.screen.say(f"  THE RUNNER PLAYED THE OWNER: {chosen.option!r} for digest {chosen.digest}.")
        self.screen.say("  No person looked at this drill. SIGN_OFF=manual waits for one.")

    def _sealed_digest(self) -> str | None:
        found: dict[str, Any] | None = closing.summary(self.drill)
        return None if found is None else found.get("bundle_sha256")

    def _page(self, question: Question) -> str:
        return f"{self.page}/tasks/{question.task_id}/required_actions"

    def _overdue(self) -> str:
        waits = [f"{one.task_id} ({one.state})" for one in self.instances if one.state and not one.ended_at]
        return f"The drill did not end within {self.deadline_seconds / 60:.0f} minutes; it waits for {', '.join(waits) or 'the scheduler'}."
