"""What the weather does to which call: the n-th calls of a method to paths that match."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ALL = (1, 0)  # from the first call on, without end


@dataclass(slots=True)
class Rule:
    """One rule. `calls`: first and last of the matching calls it acts on, counted from 1; a last of 0 has no end.

    `status` answers in place of the server, with `headers` and `body`. Without it, the server's own answer passes,
    after `delay_seconds`, at most `cut_after` bytes of its body (the connection then ends), and slower than
    `bytes_per_second`. `silent`: the call is taken and never answered.
    """

    method: str = ".*"
    path: str = ".*"
    calls: tuple[int, int] = ALL
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    delay_seconds: float = 0.0
    cut_after: int | None = None
    bytes_per_second: int | None = None
    silent: bool = False
    seen: int = 0

    def takes(self, method: str, path: str) -> bool:
        """Counts a call that matches; whether the rule acts on it."""
        if not (re.fullmatch(self.method, method) and re.search(self.path, path)):
            return False
        self.seen += 1
        first, last = self.calls
        return self.seen >= first and (not last or self.seen <= last)


@dataclass(slots=True)
class Weather:
    """The rules in force, and every call that came: `(method, path with query)`."""

    rules: list[Rule] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)

    def of(self, method: str, path: str) -> Rule | None:
        """The first rule that takes the call; every rule counts it."""
        self.calls.append((method, path))
        taken = [rule for rule in self.rules if rule.takes(method, path)]
        return taken[0] if taken else None

    def count(self, path: str, method: str = ".*") -> int:
        """How many calls came to paths that match."""
        return sum(bool(re.search(path, p) and re.fullmatch(method, m)) for m, p in self.calls)


def from_json(found: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """Rules as they stand in a file: the fields of Rule by name."""
    return [Rule(**{**one, **({"calls": tuple(one["calls"])} if "calls" in one else {})}) for one in found]
