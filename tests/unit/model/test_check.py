"""Verdicts: the worst wins, and of nothing at all nothing is proven."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalp_dr.model.check import Verdict, expect, failed, inconclusive, passed, worst


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_the_worst_wins_in_any_order(verdicts: list[Verdict]) -> None:
    found = worst(verdicts)
    assert (found is Verdict.FAIL) == (Verdict.FAIL in verdicts)
    assert (found is Verdict.PASS) == (set(verdicts) == {Verdict.PASS})
    assert found is worst(reversed(verdicts))


def test_an_empty_checklist_is_inconclusive() -> None:
    assert worst([]) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("ok", "verdict", "findings"), [(True, Verdict.PASS, ()), (False, Verdict.FAIL, ("x",))])
def test_expect(ok: bool, verdict: Verdict, findings: tuple[str, ...]) -> None:
    result = expect(ok, "e", "o", iter(["x"]))
    assert (result.verdict, result.findings) == (verdict, findings)


def test_results_say_what_was_expected_and_seen() -> None:
    assert [r.verdict for r in (passed("e", "o"), failed("e", "o", ["f"]), inconclusive("e", "o"))] == [
        Verdict.PASS,
        Verdict.FAIL,
        Verdict.INCONCLUSIVE,
    ]
    assert failed("e", "o", ["f"]).findings == ("f",)
