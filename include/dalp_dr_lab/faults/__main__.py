"""python -m dalp_dr_lab.faults: the same as the lab's break, mend and faults."""

import sys

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults import main

if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except LabError as error:
        raise SystemExit(error.diagnostics()) from error
