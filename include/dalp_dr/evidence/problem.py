"""One thing that is wrong with evidence, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """`where` is a path in the bundle or a ledger entry."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
