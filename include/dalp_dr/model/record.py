"""An evidence record: one typed set of facts, written before anybody judges it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from dalp_dr.model.plan import DrillPlan

SCHEMA_VERSION = 1  # readers refuse a higher one; a field is only ever added with a default


@dataclass(frozen=True)
class Capture:
    """A redacted raw answer the facts were read from, kept in the bundle under `captures/<sha256>`."""

    name: str
    source: str  # what was asked, e.g. "kubernetes: restores.velero.io velero/drill-1"
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Record:
    """Facts of one kind about one subject, from one attempt of one task.

    `facts` is None when they could not be obtained; `error` then says why. `recorded_at`: UTC, RFC 3339, clock of the
    worker that wrote it; `began_at`: when the task began to gather.
    """

    kind: str
    subject: str
    drill_id: str
    task_id: str
    attempt: int
    recorded_at: str
    facts: dict[str, Any] | None
    error: str | None = None
    began_at: str = ""
    captures: tuple[Capture, ...] = ()
    schema_version: int = SCHEMA_VERSION

    @property
    def name(self) -> str:
        """File name inside the bundle's records/ folder."""
        return f"{self.kind}--{self.subject}--{self.attempt:02d}.json"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"captures": [asdict(c) for c in self.captures]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Record:
        """Raises msgspec.ValidationError when the shape is wrong."""
        return msgspec.convert(data, cls)


def one(plan: DrillPlan) -> tuple[str, ...]:
    """The subjects of a kind that exists once in a drill."""
    return ("drill",)


@dataclass(frozen=True)
class RecordKind:
    """A kind of record: the dataclass of its facts, and which subjects a drill must have a record of.

    `seed_row` is the row of the seed's table "restore evidence to keep" that this kind is, if it is one of the seven.
    `derived`: fields of the facts that follow from the plan and the other records, computed anew; stated ones must be the same.
    """

    name: str
    facts: type
    stage: str
    subjects: Callable[[DrillPlan], tuple[str, ...]] = one
    seed_row: str | None = None
    derived: Callable[[DrillPlan, Iterable[Record]], Mapping[str, Any]] | None = None

    def decode(self, facts: dict[str, Any]) -> Any:
        """The typed facts. Raises msgspec.ValidationError."""
        return msgspec.convert(facts, self.facts)


def encode(facts: Any) -> dict[str, Any]:
    """Plain JSON values of a facts dataclass."""
    plain: dict[str, Any] = msgspec.to_builtins(facts)
    return plain
