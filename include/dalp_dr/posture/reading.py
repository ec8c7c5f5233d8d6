"""Small readings of documents whose parts may be missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from dalp_dr.errors import FactError

T = TypeVar("T")


def at(document: Any, path: str) -> Any:
    """The value at a dotted path, None where any part of it is missing."""
    for part in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(part)
    return document


def readable(read: Callable[[], T]) -> T | None:
    """What `read` returns, None where it raises FactError: the judge of the fact then says inconclusive."""
    try:
        return read()
    except FactError:
        return None
