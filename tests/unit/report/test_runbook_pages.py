"""Runbooks as pages: every pointer of a check leads to a section that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from dalp_dr import catalogue, naming
from dalp_dr.errors import InputError
from dalp_dr.report import runbook


@pytest.mark.parametrize("pointer", sorted({check.runbook for check in catalogue.CHECKS}))
def test_a_check_leads_to_a_section(pointer: str) -> None:
    page, _, section = naming.runbook_page(pointer).partition("#")
    assert f'id="{section}"' in runbook.render(page.removesuffix(".html"))


@pytest.mark.parametrize("name", ["", "..", "nothing", "../environments/lab", "decision.md", "Decision"])
def test_no_other_file_is_one(name: str) -> None:
    with pytest.raises(InputError, match="no runbook"):
        runbook.render(name)


def test_all_are_written_beside_the_drills(tmp_path: Path) -> None:
    runbook.publish(tmp_path / "runbooks")
    assert {p.stem for p in (tmp_path / "runbooks").iterdir()} == set(runbook.names())


def test_links_between_runbooks_lead_to_pages() -> None:
    assert 'href="timing.html#clocks"' in runbook.render("decision")
