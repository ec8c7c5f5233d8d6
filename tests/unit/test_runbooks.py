"""Every check, reason and error points at a runbook section that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dalp_dr import catalogue
from dalp_dr.posture import checks as posture

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "include" / "runbooks"
PAGES = sorted(RUNBOOKS.glob("*.md"))
WORDS_OF_A_SECTION = 130


def slug(heading: str) -> str:
    """The anchor a heading gets: lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).strip().replace(" ", "-")


def sections(page: Path) -> dict[str, str]:
    """anchor -> text of every `##` section."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    return {slug(title): text for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def exists(pointer: str) -> bool:
    page, _, section = pointer.partition("#")
    return (RUNBOOKS / page).is_file() and section in sections(RUNBOOKS / page)


@pytest.mark.parametrize("check", dict.fromkeys((*catalogue.CHECKS, *posture.CHECKS)), ids=lambda c: c.id)
def test_a_check_points_at_a_section(check: catalogue.Check) -> None:
    assert exists(check.runbook), f"{check.runbook} does not exist"


def pointers() -> list[str]:
    """Every `page.md#section` written out in the code of the core and of the operators, and the decision's own
    reasons."""
    files = [*(ROOT / "include" / "dalp_dr").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    found = {p for f in files for p in re.findall(r"([a-z-]+\.md#[a-z-]+)", f.read_text())}
    decide = (ROOT / "include" / "dalp_dr" / "decide.py").read_text()
    return sorted(found | {f"decision.md#{s}" for s in re.findall(r'"((?:[a-z]+-)+[a-z]+)"', decide)})


@pytest.mark.parametrize("pointer", pointers())
def test_a_pointer_in_the_code_leads_somewhere(pointer: str) -> None:
    assert exists(pointer)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_runbooks_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    assert [link for link in links if not exists(link if not link.startswith("#") else page.name + link)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_section_is_short_enough_for_a_tired_person(page: Path) -> None:
    found = sections(page)
    assert found
    assert {name: len(text.split()) for name, text in found.items() if not 0 < len(text.split()) <= WORDS_OF_A_SECTION} == {}
