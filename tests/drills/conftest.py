"""Whole drills on the lab: brought up when it is down, left as it was found.

One drill after another, in ORDER: what should be green comes first, what breaks the lab last.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dalp_dr_lab import owner, parts
from dalp_dr_lab.drill import preparation
from dalp_dr_lab.faults import record
from dalp_dr_lab.lab import Lab
from drill_on_lab import airflow_api

HERE = Path(__file__).parent
ORDER = ("test_green.py", "test_dry_run.py", "test_surface.py", "test_refused.py", "test_four_faults.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of this folder into ORDER; all others keep their places."""
    places = [number for number, item in enumerate(items) if item.path.parent == HERE]
    mine = sorted((items[number] for number in places), key=lambda item: ORDER.index(item.path.name))
    for number, item in zip(places, mine, strict=True):
        items[number] = item


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The whole lab with Airflow, mended, its backups fresh; afterwards what did not run before is stopped."""
    found = Lab.load()
    ran = [name for name in parts.NAMES if parts.part(name).status(found)["running"]]
    if record.read(found):
        pytest.fail("The lab is broken by a fault. Run `python -m dalp_dr_lab mend` first.")
    try:
        found = preparation.lab_up(found)
        with preparation.beside_airflow(found) as airflow_up:
            preparation.refresh_backups(found)
            found = airflow_up()
        yield found
        preparation.clear(found, airflow_api(found, "starter"), print)
    finally:
        with owner.one_at_a_time(found):
            for name in reversed(parts.NAMES):
                if name not in ran:
                    parts.part(name).down(found)
