"""The report for people: one view of a verified bundle, shown as an HTML file and as a PDF."""

from __future__ import annotations

from dalp_dr.report.html import render_html
from dalp_dr.report.pdf import render_pdf
from dalp_dr.report.view import View, of

__all__ = ["View", "of", "render_html", "render_pdf"]
