"""Record kind and checks of the configuration history."""

from __future__ import annotations

from dalp_dr.configuration import rebuild
from dalp_dr.model.check import Check, Stage, Surface
from dalp_dr.model.record import RecordKind

KINDS: tuple[RecordKind, ...] = (RecordKind("configuration", rebuild.Configuration, Stage.VERIFY),)

CHECKS: tuple[Check, ...] = (
    Check(
        "release_values_match_git",
        "configuration",
        Surface.CONFIGURATION,
        Stage.VERIFY,
        "Does Git hold the values and chart that were running?",
        rebuild.release_values_match_git,
        "Commit what was changed by hand, or roll the release back to what Git says.",
        "configuration.md#release-values",
        source="alive",
    ),
    Check(
        "configuration_rebuilt",
        "configuration",
        Surface.CONFIGURATION,
        Stage.VERIFY,
        "Is everything that Git renders in the sandbox?",
        rebuild.configuration_rebuilt,
        "Add what is missing to the backup, or commit what differs.",
        "configuration.md#rebuilt",
    ),
)
