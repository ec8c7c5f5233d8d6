"""Record kind and check of the restored observability data."""

from __future__ import annotations

from dalp_dr.model.check import Check, Stage, Surface
from dalp_dr.model.record import RecordKind
from dalp_dr.observability import telemetry

KINDS: tuple[RecordKind, ...] = (RecordKind("telemetry", telemetry.Telemetry, Stage.START),)

CHECKS: tuple[Check, ...] = (
    Check(
        "telemetry_queryable",
        "telemetry",
        Surface.OBSERVABILITY,
        Stage.START,
        "Can a known metric, log line and trace be queried from the restored data?",
        telemetry.telemetry_queryable,
        "Look at the restored volume of the telemetry store and at its backup.",
        "observability.md#telemetry",
    ),
)
