"""Which faults are active, in faults.json of the lab's folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dalp_dr_lab.lab import Lab


@dataclass(frozen=True)
class Active:
    """One active fault: since when (RFC 3339, UTC), what its mend needs, and whether that was done already."""

    name: str
    since: str
    mended: bool = False
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def moment(self) -> datetime:
        """When the fault began."""
        return datetime.fromisoformat(self.since)


def path(lab: Lab) -> Path:
    """The file."""
    return lab.folder / "faults.json"


def read(lab: Lab) -> list[Active]:
    """The active faults, oldest first."""
    if not path(lab).exists():
        return []
    return [Active(**item) for item in json.loads(path(lab).read_text())["active"]]


def write(lab: Lab, active: list[Active]) -> None:
    """Replace the file as a whole."""
    new = path(lab).with_suffix(".new")
    new.write_text(json.dumps({"active": [asdict(one) for one in active]}, indent=1) + "\n")
    new.replace(path(lab))
