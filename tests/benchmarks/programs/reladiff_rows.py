"""The same with reladiff, in the environment of the peers: hash comparison by key, all columns, two threads on each side."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from peers import python
from side import report

COLUMNS = ("token", "block", "amount", "note", "at")
RUN = """
import json, resource, sys, time
import reladiff
sides = [reladiff.connect_to_table(f"postgresql://postgres@127.0.0.1:{port}/postgres", "transfer", "id", extra_columns=%r, thread_count=2)
         for port in sys.argv[1:3]]
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
wall, spent = time.monotonic(), cpu()
keys = sorted({row[0] for _, row in reladiff.diff_tables(*sides, extra_columns=%r)})
print(json.dumps({"keys": keys, "wall_seconds": time.monotonic() - wall, "cpu_seconds": cpu() - spent}))
"""

done = subprocess.run([str(python()), "-c", RUN % (COLUMNS, COLUMNS), *sys.argv[1:3]], capture_output=True, text=True, check=False)
if done.returncode:
    sys.exit(done.stderr[-2000:])
said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
report(found=sorted(map(str, said.pop("keys"))), **said)
