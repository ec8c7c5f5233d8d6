"""The miniature DALP alone: python -m dalp_dr_lab.miniature up | status | env | traffic | backup | down."""

from __future__ import annotations

import json
import sys

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature import backup, deploy, traffic


def main(argv: list[str]) -> int:
    """Run one command."""
    verb, *rest = argv or ["help"]
    lab = Lab.load()
    if verb in ("up", "down"):
        {"up": deploy.up, "down": deploy.down}[verb](lab)
    elif verb in ("status", "env"):
        print(json.dumps({"status": deploy.status, "env": deploy.env}[verb](lab), indent=1))
    elif verb in ("traffic", "backup"):
        return {"traffic": traffic.main, "backup": backup.main}[verb](rest)
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except LabError as error:
        raise SystemExit(error.diagnostics()) from error
