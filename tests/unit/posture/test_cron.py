"""How far apart runs of a schedule can be."""

from __future__ import annotations

import pytest

from dalp_dr.errors import FactError
from dalp_dr.posture import cron


@pytest.mark.parametrize(
    ("expression", "hours"),
    [
        ("0 2 * * *", 24),
        ("0 */4 * * *", 4),
        ("0 * * * *", 1),
        ("*/15 * * * *", 0.25),
        ("0 4 * * 0", 168),
        ("0 4 * * 7", 168),
        ("0 4 * * SUN", 168),
        ("0 4 * * MON-FRI", 72),
        ("0 1,13 * * *", 12),
        ("0 8-18 * * *", 14),
        ("0 0 1 * *", 744),
        ("0 0 1 * 1", 168),  # both day fields given: either of them
        ("0 0 2 * * *", 24),  # seconds first
        ("CRON_TZ=Europe/Berlin 0 2 * * *", 24),
        ("@daily", 24),
        ("@every 4h", 4),
        ("@every 90m", 1.5),
    ],
)
def test_the_longest_gap(expression: str, hours: float) -> None:
    assert cron.longest_gap_hours(expression) == pytest.approx(hours)


@pytest.mark.parametrize(
    "expression", ["", "0 2 * *", "61 2 * * *", "0 2 * * x", "0 2 31 2 *", "@every soon", "1/0 * * * *", "5-2 * * * *"]
)
def test_what_is_no_schedule_is_said(expression: str) -> None:
    with pytest.raises(FactError):
        cron.longest_gap_hours(expression)


@pytest.mark.parametrize(("text", "hours"), [("720h0m0s", 720), ("72h", 72), ("30m", 0.5), ("1h30m", 1.5)])
def test_go_durations(text: str, hours: float) -> None:
    assert cron.hours(text) == hours


@pytest.mark.parametrize("text", ["", "720", "3 days", "h"])
def test_what_is_no_duration_is_said(text: str) -> None:
    with pytest.raises(FactError):
        cron.hours(text)


@pytest.mark.parametrize(("policy", "days"), [("30d", 30), ("4w", 28), ("1m", 30)])
def test_retention_policies(policy: str, days: int) -> None:
    assert cron.retention_days(policy) == days


@pytest.mark.parametrize("policy", ["", "30", "0d", "30 d", "30y"])
def test_what_is_no_policy_is_said(policy: str) -> None:
    with pytest.raises(FactError):
        cron.retention_days(policy)
