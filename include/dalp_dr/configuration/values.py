"""Compares nested values and keeps only paths and digests, since values may hold credentials."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import rfc8785


@dataclass(frozen=True)
class Difference:
    """One path at which two documents differ. Digests are the first 12 hex digits of sha256; "absent" where there is
    no value."""

    path: str
    left: str
    right: str


def digest(value: Any) -> str:
    """sha256 (hex) of the canonical JSON of a value."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def differences(left: Any, right: Any) -> tuple[Difference, ...]:
    """Every leaf at which `left` and `right` differ; an empty mapping and an absent one are the same, as Helm treats
    them."""
    return tuple(_walk("", left, right))


def _walk(path: str, left: Any, right: Any) -> Iterator[Difference]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted({*left, *right}, key=str):
            yield from _walk(f"{path}.{key}" if path else str(key), left.get(key, _ABSENT), right.get(key, _ABSENT))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for i, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _walk(f"{path}[{i}]", one, other)
    elif left != right and not (_nothing(left) and _nothing(right)):
        yield Difference(path or ".", _short(left), _short(right))


_ABSENT = object()


def _nothing(value: Any) -> bool:
    return value is _ABSENT or value == {}


def _short(value: Any) -> str:
    return "absent" if value is _ABSENT else digest(value)[:12]
