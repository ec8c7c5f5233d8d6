"""Faults of the configuration: what runs is not what Git says."""

from __future__ import annotations

import yaml

from dalp_dr_lab.faults.fault import Fault, Notes
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature import configuration, release_store

DRIFTED_LAG_BLOCKS = 35


def _edit_by_hand(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "dalp", "set", "env", "deployment/dalp-dapp", "DEBUG=1")
    lab.kubectl("-n", "dalp", "rollout", "status", "deployment/dalp-dapp", "--timeout=90s")


def _undo_edit(lab: Lab, notes: Notes) -> None:
    lab.kubectl("-n", "dalp", "set", "env", "deployment/dalp-dapp", "DEBUG-")
    lab.kubectl("-n", "dalp", "rollout", "status", "deployment/dalp-dapp", "--timeout=90s")


def _upgrade_past_git(lab: Lab, notes: Notes) -> None:
    """Upgrade the release with a value that nobody commits."""
    values = configuration.read_values(lab, "dalp")
    values["indexer"] = {"maximumLagBlocks": DRIFTED_LAG_BLOCKS}
    (configuration.working_copy(lab) / "values/dalp.yaml").write_text(yaml.safe_dump(values, sort_keys=True))
    release_store.install(lab, "dalp")
    configuration.ensure(lab)


def _install_from_git(lab: Lab, notes: Notes) -> None:
    configuration.ensure(lab)
    release_store.install(lab, "dalp")


FAULTS = (
    Fault(
        "manual-edit",
        "Somebody set an environment variable on the dapp's Deployment with kubectl; no commit knows about it.",
        ("no_manual_changes", "configuration_rebuilt"),
        _edit_by_hand,
        _undo_edit,
        schedules=("dalp-daily",),
        group="contents-2",
    ),
    Fault(
        "drifted-values",
        "The application release was upgraded with a value that is not in Git.",
        ("release_values_match_git",),
        _upgrade_past_git,
        _install_from_git,
        schedules=("dalp-daily",),
        group="contents-1",
    ),
)
