"""`report BUNDLE`: the report of a bundle as HTML and PDF.

Only this command needs the typesetter and the templates, so it imports them when it runs: `verify` works without them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from dalp_dr.cli import places
from dalp_dr.cli.verify import check


def add_to(commands: Any) -> None:
    command = commands.add_parser("report", help="write the report of a bundle as HTML and PDF")
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder, tar or zip archive")
    command.add_argument("--out", type=Path, metavar="DIR", help="where to write report.html and report.pdf (default: beside the bundle)")
    command.add_argument("--key", type=Path, action="append", metavar="FILE", help="public key (PEM)")
    command.add_argument("--ledger", type=Path, metavar="DIR", help="folder of the ledger")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    from dalp_dr import report
    from dalp_dr.report.folder import of_verified

    result = check(chosen.bundle, places.public_keys(chosen.key), chosen.ledger)
    root = chosen.bundle.resolve()
    bundle = root / "bundle" if (root / "bundle").is_dir() else root
    view = of_verified(result, bundle)
    folder = chosen.out or bundle.parent
    folder.mkdir(parents=True, exist_ok=True)
    files = {"report.html": folder / "report.html", "report.pdf": folder / "report.pdf"}
    files["report.html"].write_text(report.render_html(view), encoding="utf-8")
    files["report.pdf"].write_bytes(report.render_pdf(view))
    written = {name: str(path) for name, path in files.items()}
    shown = {**written, "decision": result.decision.value}
    print(json.dumps(shown, indent=2) if chosen.json else "\n".join(written.values()))
    return result.exit_code
