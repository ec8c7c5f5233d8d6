"""Typed reads of the rows that SQL answered, whether the client gave text or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dalp_dr.errors import FactError

Rows = Sequence[Mapping[str, Any]]


def text(row: Mapping[str, Any], column: str) -> str | None:
    """The value as text; None for NULL and empty. Raises FactError when there is no such column."""
    if column not in row:
        raise FactError(f"SQL answer has no column {column!r} (it has {', '.join(row)}).", "Correct the SQL text of this profile.")
    value = row[column]
    return None if value is None or value == "" else str(value)


def required(row: Mapping[str, Any], column: str) -> str:
    """The value as text. Raises FactError when it is NULL."""
    value = text(row, column)
    if value is None:
        raise FactError(f"SQL answer: column {column!r} is empty.", "Look at the row in the restored database.")
    return value


def integer(row: Mapping[str, Any], column: str) -> int:
    """The value as an exact integer, however large. Raises FactError."""
    value = required(row, column)
    try:
        return int(value)
    except ValueError:
        raise FactError(f"SQL answer: column {column!r} is {value!r}, not a whole number.", "Correct the SQL text.") from None


def true(row: Mapping[str, Any], column: str) -> bool:
    """The value as a truth value. Raises FactError."""
    value = required(row, column).lower()
    if value not in {"t", "f", "true", "false", "on", "off"}:
        raise FactError(f"SQL answer: column {column!r} is {value!r}, not true or false.", "Correct the SQL text.")
    return value in {"t", "true", "on"}


def true_word(row: Mapping[str, Any], column: str) -> bool:
    """`yes` or `no` as a truth value. Raises FactError."""
    value = required(row, column)
    if value not in {"yes", "no"}:
        raise FactError(f"SQL answer: column {column!r} is {value!r}, not yes or no.", "Correct the SQL text.")
    return value == "yes"


def one(rows: Rows, what: str) -> Mapping[str, Any]:
    """The only row. Raises FactError."""
    if len(rows) != 1:
        raise FactError(f"{what}: {len(rows)} rows where one was expected.", "Look at the restored database.")
    return rows[0]
