"""The one style sheet of all pages, and the policy that allows it and nothing else."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

TEMPLATES = resources.files("dalp_dr.report") / "templates"


def page(template: str, **values: Any) -> str:
    """A template filled in, everything of unknown origin escaped, with the style sheet inside and its digest for the policy."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    text = environment.from_string((TEMPLATES / template).read_text(encoding="utf-8"))
    return text.render(style=Markup(style), style_digest=digest, **values)
