"""What a person may ask of `python -m dalp_dr_lab drill`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

DAGS = {"quarterly": "quarterly_drill", "annual": "annual_full_test", "surface": "surface_check"}
POLICIES = ("latest", "random", "edge", "timestamp")


@dataclass(frozen=True, slots=True)
class Options:
    """One drill as it was asked for."""

    dag_id: str
    faults: tuple[str, ...]
    plays_owner: bool
    policy: str
    value: str | None
    surfaces: tuple[str, ...]
    keep_sandbox: bool
    route_switch: bool
    dry_run: bool
    crashes: tuple[str, ...]
    mend: bool
    fresh_backups: bool
    deadline_minutes: int
    started_at: float | None

    @property
    def loses_the_source(self) -> bool:
        """Whether the source cluster is lost before the drill: the annual test recovers to a second one."""
        return self.dag_id == DAGS["annual"] and not self.dry_run

    @property
    def asks_for_ready(self) -> bool:
        """Whether this is a drill that can be READY: no dry run and no check of single surfaces."""
        return not self.dry_run and self.dag_id != DAGS["surface"]


def parse(words: Sequence[str]) -> Options:
    """The options; a wrong one ends the program with usage and exit code 2, before anything was touched."""
    parser = argparse.ArgumentParser(prog="python -m dalp_dr_lab drill", description="Run a drill on the lab, start to end.")
    parser.add_argument("--drill", choices=sorted(DAGS), default="quarterly")
    parser.add_argument("--fault", default="", metavar="A,B", help="break the lab first; `python -m dalp_dr_lab faults` lists them")
    parser.add_argument("--crash", default="", metavar="A,B", help="crashes in the middle of the drill; `crashes --help` lists them")
    parser.add_argument("--sign-off", choices=("auto", "manual"), default="auto", help="who plays the owner: the runner or a person")
    parser.add_argument("--policy", choices=POLICIES, default="latest", help="how the recovery target is chosen")
    parser.add_argument("--value", help="the target of --policy timestamp, RFC 3339 or `now`, or the seed of --policy random")
    parser.add_argument("--surfaces", default="", metavar="A,B", help="the surfaces of --drill surface")
    parser.add_argument("--keep-sandbox", action="store_true")
    parser.add_argument("--route-switch", action="store_true", help="rehearse the route switch (the annual test always does)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be created; create nothing")
    parser.add_argument("--no-mend", dest="mend", action="store_false", help="leave the lab broken")
    parser.add_argument("--no-backup", dest="backup", action="store_false", help="use the backups that are there")
    parser.add_argument("--deadline-minutes", type=int, help="stop watching after so long (default 60; 720 when a person signs)")
    parser.add_argument("--started-at", type=float, metavar="EPOCH", help=argparse.SUPPRESS)
    found = parser.parse_args(words)
    if found.policy == "timestamp" and not found.value:
        parser.error("--policy timestamp needs --value, a moment like 2026-01-31T08:00:00Z")
    if found.drill == "surface" and not found.surfaces:
        parser.error("--drill surface needs --surfaces, e.g. --surfaces database")
    return Options(
        dag_id=DAGS[found.drill],
        faults=_names(found.fault),
        plays_owner=found.sign_off == "auto",
        policy=found.policy,
        value=found.value,
        surfaces=_names(found.surfaces),
        keep_sandbox=found.keep_sandbox,
        route_switch=found.route_switch or found.drill == "annual",
        dry_run=found.dry_run,
        crashes=_names(found.crash),
        mend=found.mend,
        fresh_backups=found.backup,
        deadline_minutes=found.deadline_minutes or (60 if found.sign_off == "auto" else 720),
        started_at=found.started_at,
    )


def conf(options: Options) -> dict[str, object]:
    """The run's configuration: the params of the trigger form."""
    wanted: dict[str, object] = {
        "environment": "lab-annual" if options.dag_id == DAGS["annual"] else "lab",
        "target_policy": options.policy,
        "target_value": datetime.now(UTC).isoformat() if options.value == "now" else options.value,
        "keep_sandbox": options.keep_sandbox,
        "dry_run": options.dry_run,
        "route_switch": options.route_switch,
    }
    if options.surfaces:
        wanted["surfaces"] = list(options.surfaces)
    return wanted


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
