"""Canonical JSON (RFC 8785), written and read strictly: one value has one form, and nothing else is accepted."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import msgspec
import rfc8785

from dalp_dr.errors import EvidenceError

LIMIT_BYTES = 512 * 1024 * 1024
LIMIT_DEPTH = 64
SAFE_INTEGER = 2**53 - 1
_SCALARS = frozenset({str, bool, type(None)})
_NUMBERS = _SCALARS | {int}
_STRUCTURE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)  # strings are matched to be passed over
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}
_ENCODER = msgspec.json.Encoder(order="sorted")


def dumps(value: Any) -> bytes:
    """The canonical form of plain JSON values. Raises EvidenceError for what JSON cannot say (NaN, integers over
    2**53).

    Values without floats and with ASCII keys have the same form in msgspec, which is many times faster; a test holds
    the two against each other. All others go through rfc8785.
    """
    try:
        if is_simple(value):
            return _ENCODER.encode(value)
        _refuse_unreadable_floats(value)
        return rfc8785.dumps(value)
    except (ValueError, TypeError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise EvidenceError(
            f"A value cannot be written as canonical JSON: {error}.",
            "Record numbers over 2**53 as decimal strings and bytes as digests.",
        ) from error


def is_simple(value: Any) -> bool:
    """True when no float, large integer, non-ASCII key or foreign type is inside."""
    stack = [value]
    while stack:
        item = stack.pop()
        kind = type(item)
        if kind is dict:
            if not "".join(item).isascii():
                return False
            children = item.values()
        elif kind is list or kind is tuple:
            children = item
        elif kind is int:
            if not -SAFE_INTEGER <= item <= SAFE_INTEGER:
                return False
            continue
        elif kind in _SCALARS:
            continue
        else:
            return False
        kinds = set(map(type, children))
        if kinds <= _SCALARS:
            continue
        stack.extend(children if not kinds <= _NUMBERS else [child for child in children if type(child) is int])
    return True


def _refuse_unreadable_floats(value: Any) -> None:
    """RFC 8785 writes 1e20 as an integer that no reader may take for exact."""
    if isinstance(value, float) and SAFE_INTEGER < abs(value) < 1e21:
        raise ValueError(f"{value!r} is a float over 2**53")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_unreadable_floats(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_unreadable_floats(item)


def loads(data: bytes, what: str = "document") -> Any:
    """The value of canonical JSON. Raises EvidenceError naming `what` and the fault; never guesses.

    Refused: more than LIMIT_BYTES, not UTF-8, a key given twice, NaN or Infinity, nesting deeper than LIMIT_DEPTH, and
    any form other than the canonical one.
    """
    value = parse(data, what)
    try:
        same = dumps(value) == data
    except EvidenceError as error:
        raise EvidenceError(f"{what}: {error}", "Take the file from the evidence store.") from error
    if not same:
        raise EvidenceError(
            f"{what}: not canonical JSON (RFC 8785); it was written or changed by something else.",
            "Take the file from the evidence store.",
        )
    return value


def parse(data: bytes, what: str = "document") -> Any:
    """Like `loads`, for documents that others may have formatted (envelopes); still no duplicate keys, NaN or
    deep nesting.
    """
    if len(data) > LIMIT_BYTES:
        raise EvidenceError(f"{what}: {len(data)} bytes; at most {LIMIT_BYTES} are read.", "This is not one of our files.")
    try:
        text = data.decode("utf-8")
        _refuse_nesting(text)
        return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise EvidenceError(f"{what}: {error}.", "Take the file from the evidence store.") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice!r} is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _refuse_nesting(text: str) -> None:
    """Before parsing, which recurses: how deep that may go is the interpreter's setting, and not ours."""
    depth = 0
    for token in _STRUCTURE.finditer(text):
        depth += _STEP.get(token[0], 0)
        if depth > LIMIT_DEPTH:
            raise ValueError(f"nested deeper than {LIMIT_DEPTH}")


def sha256(data: bytes) -> str:
    """Digest as lower-case hex."""
    return hashlib.sha256(data).hexdigest()
