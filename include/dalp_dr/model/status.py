"""How a wait stands: still waiting, done, or failed. Every surface reads its own objects into one of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Waiting:
    """Not finished. `what` is shown to people; `done` of `total` where the system tells."""

    what: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Done:
    """Finished, well or partly: `summary` holds what the system said; the checks judge it."""

    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """Cannot succeed any more."""

    cause: str


Status = Waiting | Done | Failed
