"""The report as PDF/A, typeset by typst; its data is handed over as JSON and never read as markup."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import typst

from dalp_dr.errors import EvidenceError
from dalp_dr.model.plan import utc
from dalp_dr.report import charts
from dalp_dr.report.page import View

FONT = "Libertinus Serif"  # carried by typst, so that every machine makes the same pages


def render_pdf(view: View) -> bytes:
    """The pages. Dated like the seal, so that the same evidence gives the same file."""
    template = (resources.files("dalp_dr.report") / "templates" / "report.typ").read_text(encoding="utf-8")
    pictures = {
        "timeline": charts.timeline(view.bars, FONT),
        "skew": charts.skew(view.points, FONT),
        "trend": charts.trend(view.trend, view.rto_target_seconds, FONT),
    }
    with tempfile.TemporaryDirectory(prefix="dalp-dr-report-") as folder:
        root = Path(folder)
        (root / "report.typ").write_text(template, encoding="utf-8")
        (root / "data.json").write_text(json.dumps({**asdict(view), "pictures": pictures}), encoding="utf-8")
        try:
            pages: bytes = typst.compile(
                str(root / "report.typ"),
                root=str(root),
                ignore_system_fonts=True,
                timestamp=_dated(view),
                pdf_standards=["a-2b"],
            )
        except (RuntimeError, ValueError, TypeError) as error:  # typst.TypstError is a RuntimeError
            raise EvidenceError(f"The PDF report could not be typeset: {error}.", "The HTML report holds the same.") from error
    return pages


def _dated(view: View) -> datetime:
    return utc(view.dated).replace(microsecond=0) if view.dated else datetime(1970, 1, 1, tzinfo=UTC)
