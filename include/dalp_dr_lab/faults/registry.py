"""All faults by name, and the two verbs: break and mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults import (
    chain,
    cloned_archiver,
    configuration,
    connections,
    database,
    exposure,
    isolation,
    kubernetes_resources,
    object_storage,
    observability,
    record,
    recovery_points,
    requested,
    requests,
    rights,
    sandbox,
    velero,
)
from dalp_dr_lab.faults.fault import Fault
from dalp_dr_lab.faults.record import Active
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature import backup, deploy, traffic
from dalp_dr_lab.progress import step

MODULES = (
    configuration,
    database,
    requests,
    kubernetes_resources,
    object_storage,
    observability,
    chain,
    isolation,
    exposure,
    cloned_archiver,
    rights,
    requested,
    sandbox,
    connections,
    velero,  # last: what comes before may need it
)  # in this order they break
FAULTS: dict[str, Fault] = {fault.name: fault for module in MODULES for fault in module.FAULTS}


def named(names: Sequence[str]) -> list[Fault]:
    """The faults of these names in the order in which they break: an upgrade would undo others. LabError if unknown."""
    if unknown := [name for name in names if name not in FAULTS]:
        raise LabError(f"No such fault: {', '.join(unknown)}. There are: {', '.join(FAULTS)}.")
    return [fault for name, fault in FAULTS.items() if name in names]


def asked(names: Sequence[str]) -> list[str]:
    """Words of the runner's command line that belong to these faults. LabError if two faults ask for different drills."""
    asking = [fault for fault in named(names) if fault.asks]
    if len(asking) > 1:
        raise LabError(f"{', '.join(one.name for one in asking)} each ask for a drill of their own. Choose one of them.")
    return [word for fault in asking for word in fault.asks]


def break_lab(lab: Lab, names: Sequence[str]) -> list[Active]:
    """Do the damage, wait until it is archived, take the backups that the faults need, then do what comes after them.

    Each fault is recorded before it acts, so that `mend` undoes also what was half done.
    """
    wanted, active = named(names), record.read(lab)
    if again := {fault.name for fault in wanted} & {one.name for one in active}:
        raise LabError(f"Already broken: {', '.join(sorted(again))}. Run `python -m dalp_dr_lab mend` first.")
    for fault in wanted:
        active.append(Active(fault.name, datetime.now(UTC).isoformat()))
        record.write(lab, active)
        with step(f"break {fault.name}"):
            _act(lab, active, fault.name, "damage")
    with step("damage archived"):
        backup.archive_now(lab)
    _back_up(lab, wanted)
    for fault in wanted:
        with step(f"break {fault.name}, after the backups"):
            _act(lab, active, fault.name, "afterwards")
    return active


def _act(lab: Lab, active: list[Active], name: str, moment: str) -> None:
    try:
        notes = next(one.notes for one in active if one.name == name)
        getattr(FAULTS[name], moment)(lab, notes)
    finally:
        record.write(lab, active)


def act_during(lab: Lab, name: str, drill_id: str) -> None:
    """Do what a fault does in the middle of a drill."""
    active = record.read(lab)
    act = FAULTS[name].during
    assert act is not None
    try:
        act(lab, next(one.notes for one in active if one.name == name), drill_id)
    finally:
        record.write(lab, active)


def _back_up(lab: Lab, faults: Sequence[Fault]) -> None:
    schedules = [name for name in backup.SCHEDULES if any(name in fault.schedules for fault in faults)]
    base = any(fault.base_backup for fault in faults)
    if schedules or base:
        backup.run(lab, schedules, database=base, completes=all(fault.completes for fault in faults))


def mend(lab: Lab) -> list[str]:
    """Undo every active fault, newest first; remove the recovery points that they spoilt and back up again."""
    active = record.read(lab)
    if not active:
        return []
    for place, one in reversed(list(enumerate(active))):
        if not one.mended:
            with step(f"mend {one.name}"):
                FAULTS[one.name].mend(lab, one.notes)
            active[place] = replace(one, mended=True)
            record.write(lab, active)
    with step("services"):
        deploy.wait_ready(lab)
        traffic.settle(lab)
    if spoilt := [one.moment for one in active if FAULTS[one.name].spoils]:
        _renew_recovery_points(lab, min(spoilt))
    record.write(lab, [])
    return [one.name for one in active]


def _renew_recovery_points(lab: Lab, since: datetime) -> None:
    """Remove the backups made since a moment, back up, and let the database's window begin with the new base backup."""
    with step("recovery points of the broken time removed"):
        recovery_points.remove_velero_since(lab, since)
    backup.run(lab)
    with step("recovery window begun anew"):
        recovery_points.begin_window_anew(lab)
