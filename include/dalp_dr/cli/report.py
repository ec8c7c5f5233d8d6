"""`report BUNDLE`: the report of a bundle as HTML and PDF.

Only this command needs the typesetter and the templates, so it imports them when it runs: `verify` works without them.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dalp_dr.cli import places
from dalp_dr.cli.verify import check
from dalp_dr.errors import EvidenceError
from dalp_dr.model.plan import utc


def add_to(commands: Any) -> None:
    command = commands.add_parser("report", help="write the report of a bundle as HTML and PDF")
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder, tar or zip archive")
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="where to write report.html and report.pdf (default: beside the bundle)"
    )
    command.add_argument("--key", type=Path, action="append", metavar="FILE", help="public key (PEM)")
    command.add_argument("--ledger", type=Path, metavar="DIR", help="folder of the ledger")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    from dalp_dr import report

    result = check(chosen.bundle, places.public_keys(chosen.key), chosen.ledger)
    if result.dossier is None:
        raise EvidenceError(
            f"{chosen.bundle}: {'; '.join(map(str, result.problems))}.", "Run verify; there is nothing to report."
        )
    root = chosen.bundle.resolve()
    folder = chosen.out or (root if (root / "bundle").is_dir() else root.parent)
    folder.mkdir(parents=True, exist_ok=True)
    view = report.of(result, earlier(folder.parent))
    files = {
        "report.html": report.render_html(view).encode(),
        "report.pdf": report.render_pdf(view, _dated(result.sealed_at)),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    written = {name: str(folder / name) for name in files}
    print(
        json.dumps({**written, "decision": result.decision.value}, indent=2)
        if chosen.json
        else "\n".join(written.values())
    )
    return result.exit_code


def earlier(drills: Path) -> list[dict[str, Any]]:
    """Summaries of the drills kept beside this one, for the trend; unreadable ones are left out of the picture."""
    found = []
    for path in sorted(drills.glob("d-*/summary.json")):
        try:
            content = json.loads(path.read_bytes())
        except ValueError:
            continue
        if isinstance(content, dict):
            found.append(content)
    return found


def _dated(sealed_at: str | None) -> datetime:
    return utc(sealed_at) if sealed_at else datetime(1970, 1, 1, tzinfo=UTC)
