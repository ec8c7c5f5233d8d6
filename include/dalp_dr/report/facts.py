"""Facts of a record in one line: for the seven rows the facts the seed asks for come first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dalp_dr.text import visible

FACTS_SHOWN = 8
FIRST: dict[str, tuple[str, ...]] = {  # record kind -> the facts its row is about
    "backup": (
        "found.backup",
        "found.started_at",
        "found.completed_at",
        "found.expires_at",
        "phase",
        "items",
        "errors",
    ),
    "restore_target": ("target_time", "target_lsn", "policy", "incident_time", "backup_id", "replay_segments"),
    "database_recovery_point": (
        "timeline",
        "parent_timeline",
        "switch_lsn",
        "checkpoint_lsn",
        "newest_commit",
        "heartbeat_at",
        "system_id",
    ),
    "namespace_inventory": ("source_namespace", "sandbox_namespace", "backup", "found", "from_backup", "from_git"),
    "object_versions": ("bucket", "at", "keys", "versions", "noncurrent_population", "documents"),
    "application_health": ("first_healthy_at", "polls", "pods", "sessions"),
    "reconciliation": (
        "pinned_number",
        "pinned_hash",
        "tokens",
        "holdings_compared",
        "differences",
        "holding_differences",
    ),
}


def in_words(kind: str, facts: Mapping[str, Any], limit: int = FACTS_SHOWN) -> str:
    """`name value` for the facts that matter most, lists by their length; of other kinds the first ones."""
    told = dict(_flat(facts))
    chosen = [name for name in FIRST.get(kind, ()) if name in told]
    names = chosen or list(told)
    shown = [f"{visible(name).rpartition('.')[2].replace('_', ' ')} {told[name]}" for name in names[:limit]]
    rest = 0 if chosen else len(names) - limit
    return "; ".join(shown) + (f"; {rest} more" if rest > 0 else "")


def _flat(facts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Facts as text by dotted name, one level deep; what is empty or unknown is left out."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            if not above:
                yield from _flat(value, f"{name}.")
        elif isinstance(value, (list, tuple)):
            yield f"{above}{name}", str(len(value))
        elif isinstance(value, bool):
            yield f"{above}{name}", "yes" if value else "no"
        elif value is not None and value != "":
            yield f"{above}{name}", visible(value)
