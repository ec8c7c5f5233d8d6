"""What the documents say about the project is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dalp_dr import catalogue
from dalp_dr.model.environment import Environment
from dalp_dr.posture import checks as posture

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
README = (ROOT / "README.md").read_text()
MAP = (DOCS / "whats-here.md").read_text()
CODE = {"include/dalp_dr": "dalp_dr", "plugins/dalp_dr_airflow": "dalp_dr_airflow", "include/dalp_dr_lab": "dalp_dr_lab"}


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+)(?: [a-z-]+)*:(?!=)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)) | set(
        re.findall(r"^[a-z-]+ ([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    )


def code_blocks(text: str, language: str = "[a-z]*") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def parts() -> list[str]:
    """Every package and every module at the top of a package that the map must name."""
    found = []
    for folder in CODE:
        for entry in sorted((ROOT / folder).iterdir()):
            if entry.is_dir() and (entry / "__init__.py").exists():
                found.append(f"{folder}/{entry.name}/")
            elif entry.suffix == ".py" and not entry.name.startswith("__"):
                found.append(f"{folder}/{entry.name}")
    return found + [f"dags/{f.name}" for f in sorted((ROOT / "dags").glob("*.py"))]


def twice(text: str) -> list[str]:
    """First cells of table rows that stand in it more than once; a table's head may come again."""
    cells = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    return sorted({cell for cell in cells if cells.count(cell) > 1} - {"part", "the page says"})


def test_the_map_names_each_place_once() -> None:
    assert twice(MAP) == []
    assert twice("| part | x |\n| `a` | one |\n| part | y |\n| `a` | two |") == ["`a`"]


def test_a_make_command_in_a_document_exists() -> None:
    used = {
        (page.name, t) for page in PAGES for block in code_blocks(page.read_text()) for t in re.findall(r"^\s*make ([a-z-]+)", block, re.M)
    }
    used |= {(page.name, t) for page in PAGES for t in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert used
    assert sorted(u for u in used if u[1] not in targets()) == []


def test_the_pipeline_calls_what_the_readme_tells() -> None:
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test"]
    assert "make test" in README


@pytest.mark.parametrize("part", parts())
def test_the_map_names_every_part(part: str) -> None:
    assert f"`{part}`" in MAP


def test_the_map_names_nothing_that_is_gone() -> None:
    paths = {p for p in re.findall(r"`((?:dags|include|plugins|tests|docs)/[\w./-]*)`", MAP)}
    assert paths
    assert sorted(p for p in paths if not (ROOT / p).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    assert sorted({link for link in links if not (page.parent / link).exists()}) == []


def test_check_names_in_the_documents_exist() -> None:
    """A name in the column of checks of the map is a check."""
    named = set(re.findall(r"check `([a-z_]+)`", MAP))
    assert named
    assert sorted(named - {c.id for c in (*catalogue.CHECKS, *posture.CHECKS)}) == []


def test_every_field_of_an_environment_is_explained() -> None:
    page = (DOCS / "how-to" / "environment.md").read_text()
    missing = []

    def look(model: type, seen: set[type]) -> None:
        if model in seen:
            return
        seen.add(model)
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            if f"`{name}`" not in page:
                missing.append(f"{model.__name__}.{name}")
            for module, part in re.findall(r"(dalp_dr\.model\.\w+)\.([A-Z]\w+)", str(field.annotation)):
                look(getattr(__import__(module, fromlist=[part]), part), seen)

    look(Environment, set())
    assert missing == []


def test_the_changelog_is_open() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## Unreleased" in text
    assert text.index("## Unreleased") < len(text) / 2


@pytest.mark.parametrize("record", sorted((DOCS / "adr").glob("[0-9]*.md")), ids=lambda p: p.stem)
def test_a_decision_says_what_was_rejected(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {int(record.name[:4])}. ")
    assert re.findall(r"^\*\*(Question|Options|Decision)\b", text, flags=re.MULTILINE) == ["Question", "Options", "Decision"]
    options = re.findall(r"^- (.+?)(?=\n- |\n\n)", text, flags=re.MULTILINE | re.DOTALL)
    chosen = [option for option in options if option.startswith("**")]
    assert len(chosen) == 1
    assert [option for option in options if option not in chosen and "Bad: " not in option] == []


def test_commands_of_the_core_in_the_documents_exist() -> None:
    done = subprocess.run([sys.executable, "-m", "dalp_dr", "--help"], cwd=ROOT / "include", capture_output=True, text=True, check=False)
    verbs = set(re.findall(r"\b(verify|report|claims|schema|environment|sign|stop)\b", done.stdout))
    used = {v for page in PAGES for v in re.findall(r"python -m dalp_dr ([a-z]+)", page.read_text())}
    assert used
    assert used <= verbs
