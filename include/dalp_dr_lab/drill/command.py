"""`python -m dalp_dr_lab drill`: lab, fresh backups, a fault where asked for, the drill, its table, the mending."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dalp_dr.errors import DrillError
from dalp_dr.naming import drill_id
from dalp_dr_lab import airflow
from dalp_dr_lab.airflow.settings import ROLES
from dalp_dr_lab.crashes import registry as crashes
from dalp_dr_lab.crashes.crash import Scene
from dalp_dr_lab.drill import closing, options, preparation, start
from dalp_dr_lab.drill.meanwhile import Meanwhile
from dalp_dr_lab.drill.options import Options
from dalp_dr_lab.drill.rest import AirflowApi
from dalp_dr_lab.drill.screen import Screen
from dalp_dr_lab.drill.stopwatch import Stopwatch
from dalp_dr_lab.drill.watch import Watch
from dalp_dr_lab.faults import registry
from dalp_dr_lab.lab import Lab

READY, NOT_READY, INTERRUPTED = 0, 1, 130
DONE = 0  # a dry run or a check of single surfaces did what was asked
INTACT_AND_READY, INTACT = 0, 1  # exit statuses of `dalp_dr verify`
NO_CLAIM = "This is not READY and claims nothing: only a drill over all surfaces can be READY."


def main(words: Sequence[str]) -> int:
    """Run one drill as `words` ask; 0 only when the decision is READY and the bundle verifies.

    A dry run or a check of single surfaces is never READY: 0 when it described the drill, or when all it checked passed.
    """
    screen = Screen(sys.stdout)
    try:
        wanted = options.parse([*words, *registry.asked(options.parse(words).faults)])
        crashes.named(wanted.crashes)  # a name that does not exist is refused before anything is started
    except DrillError as error:
        screen.say(error.diagnostics())
        return NOT_READY
    command = Command(wanted, screen, Stopwatch(screen.say), Lab.load())
    try:
        return command.run()
    except KeyboardInterrupt:
        screen.say(f"\nStopped watching. {command.left_behind()}")
        return INTERRUPTED
    except DrillError as error:
        screen.say(f"\n{error.diagnostics()} {command.left_behind()}")
        return NOT_READY


@dataclass(slots=True)
class Command:
    """One drill from the command line."""

    options: Options
    screen: Screen
    stopwatch: Stopwatch
    lab: Lab
    watch: Watch | None = None
    meanwhile: Meanwhile | None = None
    lab_since: datetime | None = None

    def run(self) -> int:
        """Everything in order. A lab that was broken for the drill is mended when the drill has ended."""
        if self.options.started_at is not None:
            self.stopwatch.seconds["setup"] = max(0.0, time.time() - self.options.started_at)
        with self.stopwatch.phase("lab", "the small DALP, its cluster, its backups' store and its chain"):
            self.lab = preparation.lab_up(self.lab)
        preparation.must_be_free(self.lab, self._api("starter"), self.options.faults)
        with preparation.beside_airflow(self.lab) as airflow_up:
            if self.options.fresh_backups:
                with self.stopwatch.phase("backup", "traffic, then fresh backups by the real controllers; Airflow starts beside them"):
                    preparation.refresh_backups(self.lab)
            with self.stopwatch.phase("airflow", "its database and four components"):
                self.lab = airflow_up()
        preparation.clear(self.lab, self._api("starter"), self.screen.say)
        try:
            if self.options.faults:
                with self.stopwatch.phase("break", ", ".join(self.options.faults)):
                    preparation.break_lab(self.lab, self.options.faults)
            if self.options.loses_the_source:
                self.lab_since = preparation.lab_since(self.lab)  # nobody can tell it afterwards
                with self.stopwatch.phase("lose", "a second, empty cluster is started; then the source cluster is lost"):
                    self.lab = preparation.lose_source(self.lab)
            with self.stopwatch.phase("drill", self.options.dag_id):
                self.watch = self._start()
                self.watch.until_end()
            if self.meanwhile and self.meanwhile.missed:
                self.screen.say(f"  Never acted, since the drill did not get to their moment: {', '.join(self.meanwhile.missed)}")
        finally:
            if self._broken() and self.options.mend and not self._under_way() and not interrupted():
                with self.stopwatch.phase("mend", "the lab as it was before"):
                    preparation.mend_lab(self.lab)
        return self._close(self.watch)

    def left_behind(self) -> str:
        """What goes on after this command has stopped early, and how to come back to it."""
        said = "No drill was started."
        if self.watch is not None:
            said = f"The drill {'goes on' if self._under_way() else 'has ended'}: {self.watch.page}"
        broken = " The lab stays broken until `python -m dalp_dr_lab mend`." if self._broken() else ""
        return f"{said}{broken} `make down` stops everything."

    def _broken(self) -> bool:
        """Whether there is something to mend; a lost cluster is not mended, the next lab begins anew."""
        seconds = self.stopwatch.seconds
        return "break" in seconds and "mend" not in seconds and "lose" not in seconds

    def _under_way(self) -> bool:
        return self.watch is not None and not self.watch.run.ended

    def _start(self) -> Watch:
        starter = self._api("starter")
        owner = self._api("owner") if self.options.plays_owner else None
        run = start.drill(
            starter,
            self.options,
            parsed_since=airflow.parsing_since(self.lab),
            lab_since=self.lab_since or preparation.lab_since(self.lab),
        )
        folder = self.lab.home / "drills" / drill_id(run.dag_id, run.run_id, run.run_after)
        logs, deadline_seconds = self.lab.folder / "airflow" / "logs", self.options.deadline_minutes * 60.0
        scene = Scene(self.lab, starter, run, folder.name)
        self.meanwhile = Meanwhile(
            [*registry.named(self.options.faults), *crashes.named(self.options.crashes)],
            lambda name: self._act_during(scene, name),
            self.screen.say,
        )
        watch = Watch(starter, owner, run, self.screen, logs, folder, deadline_seconds, look_on=self.meanwhile)
        self.screen.say(f"Drill {folder.name}, asked for by the runner as `starter`: {watch.page}")
        return watch

    def _act_during(self, scene: Scene, name: str) -> None:
        """A fault or a crash in the middle of the drill; of crashes is written down which happened."""
        if name not in crashes.CRASHES:
            registry.act_during(self.lab, name, scene.drill_id)
            return
        crashes.CRASHES[name].act(scene)
        path = self.lab.home / "drills" / scene.drill_id / "crashes.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        happened = json.loads(path.read_text())["happened"] if path.exists() else []
        path.write_text(json.dumps({"asked_at": scene.run.run_after.isoformat(), "happened": [*happened, name]}))

    def _api(self, user: str) -> AirflowApi:
        found = airflow.env(self.lab)
        users = dict(pair.split(":", 1) for pair in found["AIRFLOW_USERS"].split(","))
        return AirflowApi(found["AIRFLOW_URL"], user, users[user])

    def _close(self, watch: Watch) -> int:
        if self.options.dry_run:
            return self._close_dry_run(watch)
        found = closing.summary(watch.drill)
        verified = self._verify(watch.drill / "bundle") if (watch.drill / "bundle").is_dir() else None
        users = self.lab.folder / "airflow" / "users.json"
        places = closing.Places(watch.drill, watch.api.url, tuple(ROLES), users, self.stopwatch.seconds)
        if found is None:
            lines = [*closing.without_summary(watch.run.state, watch.failed_tasks()), *closing.where(places)]
        else:
            lines = closing.table(found, places)
        for text in lines:
            self.screen.say(text)
        if self.options.asks_for_ready:
            return READY if found is not None and found.get("decision") == "READY" and verified == INTACT_AND_READY else NOT_READY
        return self._close_surface_check(watch, found is not None and found.get("verdict") == "pass" and verified == INTACT)

    def _close_surface_check(self, watch: Watch, passed: bool) -> int:
        """A check of single surfaces did what was asked when all it asked passed and its bundle is intact."""
        passed = passed and watch.run.state == "success"
        surfaces = ", ".join(self.options.surfaces)
        self.screen.say(f"\nThe check of {surfaces} {'passed' if passed else 'DID NOT PASS'}. {NO_CLAIM}")
        return DONE if passed else NOT_READY

    def _close_dry_run(self, watch: Watch) -> int:
        """A dry run did what was asked when it could describe the whole drill."""
        described, refusal = (watch.api.xcom(watch.run, "plan.freeze", key) for key in ("dry_run", "refusal"))
        for text in described or [refusal or "The drill could not be described. Read the log of plan.freeze."]:
            self.screen.say(f"  {text}")
        done = bool(described) and watch.run.state == "success"
        self.screen.say(f"\nDry run {'done' if done else 'FAILED'}: nothing was created. {NO_CLAIM}")
        return DONE if done else NOT_READY

    def _verify(self, bundle: Path) -> int:
        """Exit status of `dalp_dr verify`."""
        with self.stopwatch.phase("verify", f"python -m dalp_dr verify {bundle}"):
            words = [sys.executable, "-m", "dalp_dr", "verify", str(bundle)]
            path = {"PYTHONPATH": str(self.lab.checkout / "include"), "DALP_DR_HOME": str(self.lab.home)}
            done = subprocess.run(words, env={**os.environ, **path}, capture_output=True, text=True, check=False)
            for text in (done.stdout + done.stderr).splitlines():
                if not text.strip().startswith(("fail:", "inconclusive:")):  # the table has them
                    self.screen.say(f"  {text}")
            self.screen.say(f"  exit {done.returncode}")
        return done.returncode


def interrupted() -> bool:
    """Whether a person is stopping this command."""
    return isinstance(sys.exception(), KeyboardInterrupt)
