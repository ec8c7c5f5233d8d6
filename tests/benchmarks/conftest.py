"""Benchmarks may take their time; afterwards the page of their results is written anew."""

from __future__ import annotations

from pathlib import Path

import pytest

import page

LIMIT_SECONDS = 1200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LIMIT_SECONDS))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.testscollected and page.results():
        page.write()
