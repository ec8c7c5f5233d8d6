"""Record kinds and checks of this package."""

from __future__ import annotations

from dalp_dr.model.check import Check
from dalp_dr.model.record import RecordKind

KINDS: tuple[RecordKind, ...] = ()
CHECKS: tuple[Check, ...] = ()
