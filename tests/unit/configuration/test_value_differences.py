"""Nested values: where they differ, without showing them."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.configuration.values import differences


@pytest.mark.parametrize(
    ("left", "right", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, ["a.b[1].c"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a"]),
        ({"a": 1}, {}, ["a"]),
        ({"a": {}}, {}, []),
        ({"a": None}, {}, ["a"]),
        ({"a": "1"}, {"a": 1}, ["a"]),
        ({"a": True}, {"a": "true"}, ["a"]),
        ({}, {}, []),
        ({"x": 1, "a": 2}, {"x": 2, "a": 3}, ["a", "x"]),
    ],
)
def test_paths(left: Any, right: Any, paths: list[str]) -> None:
    assert [d.path for d in differences(left, right)] == paths


def test_values_are_digested_and_absence_is_said() -> None:
    found = differences({"password": "hunter2"}, {})[0]
    assert (found.right, len(found.left)) == ("absent", 12)
    assert "hunter2" not in repr(found)
