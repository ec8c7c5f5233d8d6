"""The report for people: one view of a verified bundle, shown as an HTML file and as a PDF."""

from __future__ import annotations

from dalp_dr.report.folder import view
from dalp_dr.report.html import render_html
from dalp_dr.report.page import View, of
from dalp_dr.report.pdf import render_pdf
from dalp_dr.report.runbook import publish as publish_runbooks

__all__ = ["View", "of", "publish_runbooks", "render_html", "render_pdf", "view"]
