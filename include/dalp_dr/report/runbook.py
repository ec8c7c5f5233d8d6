"""Runbooks as pages, with an anchor at every section, so that a finding leads to the words that help."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from dalp_dr.errors import InputError
from dalp_dr.naming import runbook_page
from dalp_dr.report import style

FOLDER = Path(__file__).resolve().parents[2] / "runbooks"
_NAME = re.compile(r"^[a-z][a-z-]*$")


def names() -> tuple[str, ...]:
    """Every runbook, without its suffix."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.md")))


def slug(heading: str) -> str:
    """The anchor of a heading: lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).strip().replace(" ", "-")


def render(name: str) -> str:
    """One runbook as an HTML page. Raises InputError when there is none of this name."""
    if not _NAME.match(name) or name not in names():
        raise InputError(f"There is no runbook {name!r}.", f"Choose one of {', '.join(names())}.")
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse((FOLDER / f"{name}.md").read_text(encoding="utf-8"))
    for heading, words in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", slug(words.content))
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open" and "://" not in (target := str(child.attrGet("href") or "")):
                child.attrSet("href", runbook_page(target))
    body = markdown.renderer.render(tokens, markdown.options, {})
    return style.page("runbook.html.j2", title=name.replace("-", " "), body=Markup(body))


def publish(folder: Path) -> None:
    """Writes every runbook as a page into `folder`, beside the drills whose reports lead there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names():
        (folder / f"{name}.html").write_text(render(name), encoding="utf-8")
