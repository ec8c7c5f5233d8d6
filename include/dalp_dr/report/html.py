"""The report as one HTML file: no script, no request to anywhere, everything of unknown origin escaped."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

import jinja2
from markupsafe import Markup

from dalp_dr.report import charts
from dalp_dr.report.page import View

_TEMPLATES = resources.files("dalp_dr.report") / "templates"


def render_html(view: View) -> str:
    """The whole page. Its policy allows this very style sheet and nothing else."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = environment.from_string((_TEMPLATES / "report.html.j2").read_text(encoding="utf-8"))
    pictures = {
        "timeline": charts.timeline(view.bars),
        "skew": charts.skew(view.points),
        "trend": charts.trend(view.trend, view.rto_target_seconds),
    }
    return template.render(
        view=view,
        style=Markup(style),
        style_digest=digest,
        pictures={name: Markup(svg) for name, svg in pictures.items()},
    )
