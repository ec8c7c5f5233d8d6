"""`python -m dalp_dr_airflow.stop`: what `python -m dalp_dr stop` does. Runs without Airflow's API, database or scheduler.

First the fence, so that no task of the drill goes on; then its restores are cancelled and everything it made is removed; what
was recorded is sealed as aborted, and the ledger is closed. Each part is tried whatever became of the part before.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dalp_dr import lease
from dalp_dr.errors import DrillError, InputError
from dalp_dr.evidence import records
from dalp_dr.evidence.store import FolderStore
from dalp_dr_airflow import fence
from dalp_dr_airflow.drill import LEASE_NAMESPACE, Drill, environment_of, now
from dalp_dr_airflow.operators.abort import close_without_plan, seal_aborted
from dalp_dr_airflow.operators.seal import home
from dalp_dr_airflow.operators.teardown import remove, say

DONE, LEFT, NOT_ASKED = 0, 1, 2


@dataclass
class Stopped:
    """What became of a stop; `problems` is empty when all was done."""

    drill_id: str | None = None
    removed: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()
    bundle_sha256: str | None = None
    lease: str = ""
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def attempt(self, what: str, part: Callable[[], Any]) -> Any:
        """The part's answer; None, and a problem, when it could not be done."""
        try:
            return part()
        except DrillError as error:
            self.problems.append(f"{what}: {error.diagnostics()}")
            return None


def main(words: Sequence[str]) -> int:
    """Stops what runs; prints what was done."""
    chosen = arguments().parse_args(list(words))
    try:
        found = over(chosen) if chosen.incident_over else stop(chosen, person())
    except DrillError as error:
        print(error.diagnostics(), file=sys.stderr)
        return NOT_ASKED
    show(found, chosen.json)
    return LEFT if found.problems or found.remaining else DONE


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dalp_dr stop")
    parser.add_argument("environment")
    parser.add_argument("--reason", default="")
    parser.add_argument("--drill")
    parser.add_argument("--incident")
    parser.add_argument("--incident-hours", type=float, default=24.0)
    parser.add_argument("--incident-over", action="store_true")
    parser.add_argument("--within", type=int, default=180)
    parser.add_argument("--json", action="store_true")
    return parser


def person() -> str:
    """Who stops: the account this command runs as."""
    return getpass.getuser()


def stop(chosen: argparse.Namespace, by: str) -> Stopped:
    """Fence, removal, seal, lease, in this order. Raises DrillError when it is not known what to stop."""
    began, environment = time.monotonic(), environment_of(chosen.environment)
    probe = Drill("stop", environment, "stop", 1)
    drill_id = chosen.drill or running(probe)
    found = Stopped(drill_id)
    reason = "; ".join(part for part in (f"incident {chosen.incident}" if chosen.incident else "", chosen.reason) if part)
    if chosen.incident:
        found.attempt("incident", lambda: pre_empt(probe, chosen.incident, chosen.incident_hours, found))
    if drill_id is None:
        if not chosen.incident:
            raise InputError(f"No drill holds the lease of {environment.name}.", "Name it with --drill ID if it runs all the same.")
    else:
        end(Drill(drill_id, environment, "stop", 1, ending=True), found, by, reason, chosen.within)
    found.seconds = round(time.monotonic() - began, 1)
    return found


def end(drill: Drill, found: Stopped, by: str, reason: str, within: int) -> None:
    """Ends one drill, whatever it was doing."""
    said = found.attempt("fence", lambda: fence.stop(drill, by, reason, now()))
    why = fence.in_words(said or {"by": by, "at": now(), "reason": reason})
    planned = found.attempt("plan", drill.is_planned)
    if planned is None:  # the store is silent: its local copy of the plan proves as much, and nothing is said until it answers
        drill.plan = records.decode_plan(FolderStore(home()).get(drill.key("plan.json")))  # type: ignore[misc]
    if planned is not False:
        found.removed, found.remaining = found.attempt("removal", lambda: remove(drill, within)) or ((), ())
    if planned:
        sealed = found.attempt("seal", lambda: seal_aborted(drill, why))
        found.bundle_sha256 = sealed.manifest_sha256 if sealed else None
        if sealed:
            found.attempt("ledger", lambda: say(drill, found.removed, found.remaining, None))
    elif planned is False:
        found.attempt("ledger", lambda: close_without_plan(drill, why))
    if not found.lease and not found.remaining:
        found.attempt("lease", lambda: fence.release(drill))
        found.lease = "given back"


def running(probe: Drill) -> str | None:
    """The drill that holds the environment's lease, valid or not; None when none does."""
    held = fence.holder(probe)
    return None if held is None or not held.drill_id or held.drill_id.startswith((lease.INCIDENT, lease.JANITOR)) else held.drill_id


def pre_empt(probe: Drill, name: str, hours: float, found: Stopped) -> None:
    """An incident takes the lease, whoever holds it: no drill starts or goes on until it is over."""
    moment, holder = datetime.now(UTC), f"{lease.INCIDENT} {name}"
    wanted = lease.manifest(LEASE_NAMESPACE, probe.environment.name, holder, moment, hours, label=lease.INCIDENT)
    fence.take(probe, wanted, moment, by_force=True)
    found.lease = f"held by {holder}"


def over(chosen: argparse.Namespace) -> Stopped:
    """Gives an incident's lease back. Raises InputError when none holds it."""
    probe = Drill("stop", environment_of(chosen.environment), "stop", 1)
    held = fence.holder(probe)
    if held is None or not held.drill_id.startswith(lease.INCIDENT):
        raise InputError(f"No incident holds the lease of {chosen.environment}.", "Drills are not held back by one.")
    fence.release(Drill(held.drill_id, probe.environment, "stop", 1))
    return Stopped(lease=f"{held.drill_id} is over")


def show(found: Stopped, as_json: bool) -> None:
    """What was done, for a person or a machine."""
    if as_json:
        print(json.dumps(found.__dict__, indent=1))
        return
    print(f"Drill {found.drill_id or '(none ran)'}: {len(found.removed)} things removed in {found.seconds} s.")
    print(f"Lease: {found.lease or 'left as it is'}. Bundle: {found.bundle_sha256 or 'none'}.")
    for line in (*(f"still there: {name}" for name in found.remaining), *found.problems):
        print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
