"""Faults that need the drill to be under way: what somebody does to its sandbox."""

from __future__ import annotations

import json

from dalp_dr import naming
from dalp_dr_lab.faults.fault import Fault, Moment, Notes, nothing
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature import source

SOON = ("scheduled", "queued", "running", "success")
EDITED = "dalp-config"
SECONDS = 60


def _take_name(lab: Lab, notes: Notes, drill_id: str) -> None:
    """Make a namespace under the name that the drill's sandbox would have, before the drill looks."""
    notes["namespace"] = naming.sandbox_namespace("dalp-drill-", drill_id, "app")
    lab.kubectl("create", "namespace", notes["namespace"])


def _give_name_back(lab: Lab, notes: Notes) -> None:
    if "namespace" in notes:
        lab.kubectl("delete", "namespace", notes["namespace"], "--ignore-not-found")


def _edit_by_hand(lab: Lab, notes: Notes, drill_id: str) -> None:
    """Label a restored ConfigMap of the sandbox with kubectl, as a person who helps a drill along."""
    selector = ("-l", f"{naming.LABEL_DRILL}={drill_id}")

    def holding() -> str | None:
        found = json.loads(lab.kubectl("get", "namespaces", *selector, "-o", "json"))["items"]
        names = [one["metadata"]["name"] for one in found]
        return next((n for n in names if any(c["metadata"]["name"] == EDITED for c in source.objects(lab, n, "configmaps"))), None)

    namespace = source.wait(f"ConfigMap {EDITED} in the sandbox", holding, SECONDS)
    lab.kubectl("-n", namespace, "label", "configmap", EDITED, "helped-along=by-hand", "--overwrite")


FAULTS = (
    Fault(
        "foreign-namespace",
        "A namespace that is not the drill's exists already under the name that its sandbox would have.",
        ("sandbox_is_ours_or_absent",),
        nothing,
        _give_name_back,
        during=_take_name,
        moment=Moment("plan.freeze", SOON),
        outcome="refused",
        spoils=False,
        group="preflight-3",
    ),
    Fault(
        "sandbox-edited",
        "Somebody changes a restored object in the sandbox with kubectl while the drill runs.",
        ("no_manual_changes",),
        nothing,
        nothing,
        during=_edit_by_hand,
        moment=Moment("start.services", SOON),
        spoils=False,
        group="running",
    ),
)
