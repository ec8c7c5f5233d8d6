"""Names are functions of the drill: the same run finds what it made, another run never does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalp_dr import naming

ASKED = datetime(2026, 10, 6, 6, 0, tzinfo=UTC)
DRILL = naming.drill_id("quarterly_drill", "run-1", ASKED)


def test_a_drill_is_named_by_its_day_and_its_run() -> None:
    assert re.fullmatch(r"d-20261006-[0-9a-f]{8}", DRILL)
    assert naming.drill_id("quarterly_drill", "run-1", ASKED) == DRILL


def test_the_day_is_the_day_in_utc() -> None:
    assert naming.drill_id("a", "b", datetime(2026, 10, 7, 1, 0, tzinfo=timezone(timedelta(hours=2)))).startswith("d-20261006-")


@given(st.lists(st.text(min_size=1), min_size=2, max_size=8, unique=True))
def test_other_runs_have_other_names(runs: list[str]) -> None:
    assert len({naming.drill_id("quarterly_drill", run, ASKED) for run in runs}) == len(runs)


@pytest.mark.parametrize(("one", "other"), [(("a", "r"), ("b", "r")), (("a", "r"), ("a", "s"))])
def test_dag_and_run_both_count(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert naming.drill_id(*one, ASKED) != naming.drill_id(*other, ASKED)


@given(st.from_regex(r"[a-z][-a-z0-9]{2,20}-", fullmatch=True), st.from_regex(r"[a-z]{2,14}", fullmatch=True), st.integers(1, 99))
def test_names_are_what_kubernetes_allows(prefix: str, role: str, attempt: int) -> None:
    namespace, restore = naming.sandbox_namespace(prefix, DRILL, role), naming.restore_name(DRILL, role, attempt)
    assert namespace.startswith(prefix) and namespace.endswith(f"-{role}") and len(namespace) <= 63
    assert len(restore) <= 40 and restore.endswith(f"-{attempt}"), "no attempt is cut off, or two would share a name"


def test_ownership_labels_name_drill_and_environment() -> None:
    assert naming.labels(DRILL, "lab") == {
        "dalp-dr/drill-id": DRILL,
        "dalp-dr/environment": "lab",
        "dalp-dr/owned-by": "dalp-recovery-drill",
    }
