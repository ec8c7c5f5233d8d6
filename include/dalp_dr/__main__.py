"""`python -m dalp_dr`: checks, shows and signs evidence. Needs no Airflow and no network."""

from __future__ import annotations

import sys

from dalp_dr.cli.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
