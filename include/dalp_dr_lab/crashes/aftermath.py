"""What a drill must have left in spite of crashes: one of each thing, one record for each attempt, an unmoved clock, its verdict."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dalp_dr_lab.lab import NAMESPACES


def complaints(folder: Path, asked_at: str, ledger: Iterable[Path]) -> tuple[str, ...]:
    """One sentence for each thing that is not as it would have been; `folder` is the drill's, `asked_at` the run's own start."""
    summary = json.loads((folder / "summary.json").read_text())
    plan = json.loads((folder / "bundle/plan.json").read_text())
    records = [json.loads(path.read_text()) for path in sorted((folder / "bundle/records").glob("*.json"))]
    said = [name.stem.rsplit("-", 1)[-1] for name in ledger if summary["drill_id"] in name.name]
    return (*_verdict(summary), *_clock(summary, plan, asked_at), *_restores(records), *_records(records), *_ledger(said))


def _verdict(summary: Mapping[str, Any]) -> Iterable[str]:
    if summary["decision"] != "READY":
        reasons = "; ".join(f"{r['check']} ({r['verdict']}): {r['observed']}" for r in summary["reasons"])
        yield f"the decision is {summary['decision']}: {reasons}"


def _clock(summary: Mapping[str, Any], plan: Mapping[str, Any], asked_at: str) -> Iterable[str]:
    moments = {summary["started_at"], plan["asked_at"]}
    if moments != {asked_at}:
        yield f"the clock moved: asked at {asked_at}, recorded {', '.join(sorted(moments))}"


def _restores(records: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    made = {r["facts"]["restore"] for r in records if r["kind"] == "restore_run" and r["facts"]}
    if len(made) != len(NAMESPACES):
        yield f"{len(made)} Restores for {len(NAMESPACES)} namespaces: {', '.join(sorted(made))}"
    clusters = {r["facts"].get("created_at") for r in records if r["kind"] == "database_recovery" and r["facts"]}
    if len(clusters) != 1:
        yield f"{len(clusters)} recovered databases"


def _records(records: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    doubled = [key for key, count in Counter((r["kind"], r["subject"], r["attempt"]) for r in records).items() if count > 1]
    yield from (f"evidence is doubled: {kind} of {subject}, attempt {attempt}" for kind, subject, attempt in doubled)


def _ledger(kinds: Iterable[str]) -> Iterable[str]:
    for kind, count in Counter(kinds).items():
        if count > 1 and kind in ("opening", "sign_off", "decision"):
            yield f"{count} entries of kind {kind} in the ledger"
    if "opening" not in kinds or "decision" not in kinds:
        yield "the drill is not opened and closed in the ledger"
