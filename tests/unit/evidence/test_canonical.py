"""One value, one form; and nothing but that form is read."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical

FLOATS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda f: not 2**53 <= abs(f) < 1e21)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | FLOATS | st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=6), inner, max_size=6),
    max_leaves=25,
)


@given(VALUES)
def test_the_fast_form_is_the_form_of_rfc_8785(value: Any) -> None:
    assert canonical.dumps(value) == rfc8785.dumps(value)


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    data = canonical.dumps(value)
    assert canonical.dumps(canonical.loads(data)) == data


def test_every_low_character_is_escaped_alike() -> None:
    for text in (*map(chr, range(0x300)), "\u2028\u2029\ufeff", "\U0001f600"):
        assert canonical.dumps({text: text}) == rfc8785.dumps({text: text})


UNWRITABLE = {
    "not a number": float("nan"),
    "infinity": float("inf"),
    "an integer over 2**53": 2**53,
    "a float that would be written as such an integer": 1e20,
    "bytes": b"x",
    "a key that is no text": {1: "x"},
    "a lone surrogate": "\ud800",
    "a set": {"a"},
}


@pytest.mark.parametrize("value", UNWRITABLE.values(), ids=UNWRITABLE.keys())
def test_refuses_to_write(value: Any) -> None:
    with pytest.raises(EvidenceError):
        canonical.dumps({"a": [value]})
    with pytest.raises(EvidenceError):
        canonical.dumps(value)


UNREADABLE = {
    "a key given twice": b'{"a":1,"a":2}',
    "a key given twice deep inside": b'{"a":[{"b":1,"b":1}]}',
    "NaN": b'{"a":NaN}',
    "Infinity": b"[Infinity]",
    "deep nesting": b"[" * 100 + b"]" * 100,
    "absurd nesting": b"[" * 200_000 + b"]" * 200_000,
    "spaces": b'{"a": 1}',
    "keys out of order": b'{"b":1,"a":2}',
    "a needless escape": b'{"a":"\\u0041"}',
    "not UTF-8": b'{"a":"\xff"}',
    "two documents": b"{}{}",
    "a trailing newline": b"{}\n",
    "half": b'{"a":',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a number in another form": b'{"a":1.0}',
    "an integer over 2**53": b'{"a":9007199254740993}',
    "nothing": b"",
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_refuses_to_read(data: bytes) -> None:
    with pytest.raises(EvidenceError, match="document"):
        canonical.loads(data)
