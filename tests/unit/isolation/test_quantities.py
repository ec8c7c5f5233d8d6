"""Kubernetes quantities."""

from __future__ import annotations

import pytest

from dalp_dr.errors import FactError
from dalp_dr.isolation.quantities import millicores, whole_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [("100m", 100), ("1", 1000), ("0.5", 500), ("1500u", 2), ("2k", 2_000_000), (2, 2000), (".5", 500)],
)
def test_millicores(text: str | int, expected: int) -> None:
    assert millicores(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("128Mi", 128 * 2**20), ("1G", 10**9), ("1e3", 1000), ("1.5Ki", 1536), ("7", 7), ("100m", 1), ("16Ei", 2**64)],
)
def test_bytes(text: str, expected: int) -> None:
    assert whole_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "abc", "1X", "1mi", "Mi", "1 Gi", "1ni"])
def test_what_is_no_quantity_is_an_error(text: str) -> None:
    with pytest.raises(FactError, match="not a Kubernetes quantity"):
        whole_bytes(text)
