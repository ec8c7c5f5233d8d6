"""The peer of seal_findings.py: json.dumps, sha256 and tar of the same findings."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

from side import Work, report

folder, count = Path(sys.argv[1]), int(sys.argv[2])
token = f"token 0x{'ab' * 20}"
lines = [f"{token} holder 0x{i:040x}: chain {i * 10**18} index {i * 10**18 - 1}" for i in range(count)]
facts = {"expected_count": 3, "found_count": 2, "differences": lines, "ratio": None}
with Work() as work:
    data = json.dumps(facts, sort_keys=True).encode()
    hashlib.sha256(data)
    with tarfile.open(folder / "peer.tar", "w") as archive:
        member = tarfile.TarInfo("facts.json")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
report(items=count, **work.seconds)
