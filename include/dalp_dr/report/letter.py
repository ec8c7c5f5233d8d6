"""What the accountable team is told about a drill, in a mail's worth of words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from dalp_dr.text import visible

REASONS_SHOWN = 20


def subject(summary: Mapping[str, Any]) -> str:
    """The decision first: it is all that many will read."""
    count = len(summary["reasons"])
    why = f", {count} reason{'s' if count != 1 else ''}" if count else ""
    return visible(f"{summary['decision']}{why}: recovery drill {summary['drill_id']} of {summary['environment']}")


def lines(summary: Mapping[str, Any], team: str) -> Iterator[str]:
    """Decision, actual times beside their targets, what stands against READY with the next step of each."""
    yield f"To {team or 'the owners'}: recovery drill {summary['drill_id']} ({summary['dag_id']}, run {summary['run_id']})."
    yield f"Decision: {summary['decision']} (verdict {summary['verdict']})."
    targets = summary["targets"]
    for name, achieved, target in (
        ("RTO", summary.get("rto_seconds"), targets["rto_seconds"]),
        ("RTT", summary.get("rtt_seconds"), targets["rtt_seconds"]),
        *((f"RPO {s}", (summary.get("rpo_by_surface") or {}).get(s), t) for s, t in sorted(targets["rpo_seconds"].items())),
    ):
        known = "not measured" if achieved is None else f"{achieved:.0f} s, {'met' if achieved <= target else 'MISSED'}"
        yield f"{name}: target {target} s, actual {known}."
    for reason in summary["reasons"][:REASONS_SHOWN]:
        yield f"{reason['check']}: {reason['observed']} Next: {reason['next_step']} (runbook {reason['runbook']})"
    if more := len(summary["reasons"][REASONS_SHOWN:]):
        yield f"And {more} more; the report has all of them."
    yield f"Bundle {summary['bundle_sha256']}. Nothing here is proof; `python -m dalp_dr verify` of the bundle is."


def html(summary: Mapping[str, Any], team: str) -> str:
    """The same as HTML; text of unknown origin is escaped."""
    return "\n".join(f"<p>{escape(visible(line))}</p>" for line in lines(summary, team))
