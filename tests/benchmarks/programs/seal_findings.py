"""Builds, seals and writes a bundle whose reconciliation record has many findings; then it must verify, and not with one byte changed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from dalp_dr.evidence.bundle import Bundle
from dalp_dr.evidence.verify import verify
from side import Work, peak_memory_mb, report
from synthetic_drill import (
    CAPTURES,
    CATALOGUE,
    KEY,
    PROVENANCE,
    PUBLIC,
    SEALED_AT,
    a_plan,
    a_record,
    bundle,
    good_records,
    private_pem,
    seal,
    with_record,
)

folder, count = Path(sys.argv[1]), int(sys.argv[2])
plan = a_plan()
token = f"token 0x{'ab' * 20}"
lines = [f"{token} holder 0x{i:040x}: chain {i * 10**18} index {i * 10**18 - 1}" for i in range(count)]
facts = {"expected_count": 3, "found_count": 2, "differences": lines, "ratio": None}
found = with_record(good_records(plan), replace(a_record(plan, "reconciliation"), facts=facts))
with Work() as work:
    built = bundle.build(plan, found, CAPTURES, PROVENANCE, **CATALOGUE)
    whole = seal.seal(built, private_pem(KEY), SEALED_AT)
    whole.write(folder / "bundle")
memory = peak_memory_mb()
name = next(path for path, data in sorted(whole.files.items()) if b"holder 0x" in data)
damaged = Bundle({**whole.files, name: whole.files[name].replace(b"chain 0 ", b"chain 1 ", 1)}, whole.manifest_sha256)
report(
    items=count,
    problems=list(verify(whole, (PUBLIC,), **CATALOGUE).problems),
    problems_when_changed=len(verify(damaged, (PUBLIC,), **CATALOGUE).problems),
    **work.seconds,
    memory_mb=memory,  # of sealing, not of verifying
)
