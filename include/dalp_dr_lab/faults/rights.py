"""Faults of the drill's own identity: it may do too little, or too much."""

from __future__ import annotations

from dalp_dr_lab.faults.fault import Fault, Notes, nothing
from dalp_dr_lab.lab import Lab

SHORTCUT = "somebodys-shortcut"


def _take_right(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "dalp-observability", "delete", "rolebinding", "dalp-dr-drill")


def _give_right(lab: Lab, notes: Notes) -> None:
    lab.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(lab.checkout / "include/rbac"))


def _give_too_much(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "dalp", "create", "rolebinding", SHORTCUT, "--clusterrole=edit", "--serviceaccount=dalp-dr:drill")


def _take_too_much(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "dalp", "delete", "rolebinding", SHORTCUT, "--ignore-not-found")


FAULTS = (
    Fault(
        "missing-right",
        "The drill's identity has lost its rights in one source namespace.",
        ("needed_verbs_allowed",),
        nothing,
        _give_right,
        afterwards=_take_right,
        outcome="refused",
        spoils=False,
        group="preflight-1",
    ),
    Fault(
        "too-many-rights",
        "Somebody bound the role `edit` in production's namespace to the drill's identity.",
        ("source_writes_denied",),
        nothing,
        _take_too_much,
        afterwards=_give_too_much,
        outcome="refused",
        spoils=False,
        group="preflight-1",
    ),
)
