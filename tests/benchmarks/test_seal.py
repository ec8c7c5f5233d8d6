"""B8: 100,000 findings are sealed within 150 MB and 1.5 times a bare json.dumps, sha256 and tar of the same."""

from __future__ import annotations

from pathlib import Path

from harness import Side, compare

FINDINGS = 100_000


def test_sealing_many_findings(tmp_path: Path) -> None:
    arguments = (str(tmp_path), str(FINDINGS))
    result, ours, _ = compare(
        "B8",
        "canonicalise, hash, sign and write a bundle; json.dumps, sha256 and tar",
        f"{FINDINGS:,} findings",
        Side("sealed bundle", "seal_findings.py", arguments),
        Side("dump and tar", "dump_findings.py", arguments),
        goal=1.5,
        measure="cpu",
        higher_is_better=False,
        memory_goal_mb=150,
    )
    assert [run.extra["problems"] for run in ours] == [[]] * len(ours)
    assert all(run.extra["problems_when_changed"] for run in ours)
    assert result.met, result.line()
