"""The report as one HTML file: no script, no request to anywhere, everything of unknown origin escaped."""

from __future__ import annotations

from markupsafe import Markup

from dalp_dr.naming import runbook_page
from dalp_dr.report import charts, style
from dalp_dr.report.page import View


def render_html(view: View) -> str:
    """The whole page. Its policy allows this very style sheet and nothing else."""
    pictures = {
        "timeline": charts.timeline(view.bars),
        "skew": charts.skew(view.points),
        "trend": charts.trend(view.trend, view.rto_target_seconds),
    }
    return style.page(
        "report.html.j2",
        view=view,
        pictures={name: Markup(svg) for name, svg in pictures.items()},
        runbook=lambda pointer: f"../runbooks/{runbook_page(pointer)}",
    )
