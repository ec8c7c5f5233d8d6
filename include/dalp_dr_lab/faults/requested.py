"""Faults of what is asked for: recovery targets that the archive cannot give."""

from __future__ import annotations

from dalp_dr_lab.faults.fault import Fault, nothing

FAULTS = (
    Fault(
        "target-past-archive",
        "The recovery target is this very moment: nothing of it is archived yet.",
        ("target_inside_window",),
        nothing,
        nothing,
        asks=("--policy", "timestamp", "--value", "now"),
        outcome="refused",
        verdict="inconclusive",
        spoils=False,
        group="preflight-2",
    ),
    Fault(
        "target-before-window",
        "The recovery target is older than the oldest base backup.",
        ("target_inside_window",),
        nothing,
        nothing,
        asks=("--policy", "timestamp", "--value", "2020-01-01T00:00:00+00:00"),
        outcome="refused",
        verdict="inconclusive",
        spoils=False,
        group="preflight-3",
    ),
)
