"""Client errors become facts that could not be obtained, without secrets; repetition is bounded and polite."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import urllib3

from dalp_dr.errors import FactError, RefusedError
from dalp_dr_airflow.hooks import errors
from dalp_dr_airflow.hooks.errors import CallError, Conflict, Denied, Missing, NoAnswer, RetryPolicy, Untrusted
from fake_s3 import client_error


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("https://user:hunter22@git.example/x", "hunter22"),
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ('{"password": "hunter22"}', "hunter22"),
        ("AWS_SECRET_ACCESS_KEY=hunter22/x", "hunter22"),
        ("x-api-key: hunter22", "hunter22"),
        ("?X-Amz-Signature=deadbeef&x=1", "deadbeef"),
        ("a -----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY----- b", "MC4CAQ"),
        ("Max retries exceeded with url: /v3/hunter22", "hunter22"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
    ],
)
def test_secrets_never_leave(text: str, gone: str) -> None:
    assert gone in text
    assert gone not in errors.redact(text)


def test_ordinary_text_is_left_alone() -> None:
    assert errors.redact('pods "dalp-pg-1" not found in namespace dalp') == 'pods "dalp-pg-1" not found in namespace dalp'


@pytest.mark.parametrize(
    ("status", "kind", "transient"),
    [
        (401, Denied, False),
        (403, Denied, False),
        (404, Missing, False),
        (410, CallError, False),
        (409, Conflict, False),
        (412, Conflict, False),
        (400, CallError, False),
        (429, CallError, True),
        (500, CallError, True),
        (503, CallError, True),
        (None, NoAnswer, True),
    ],
)
def test_status_decides_the_kind(status: int | None, kind: type[CallError], transient: bool) -> None:
    error = errors.call_error("list", "pods in dalp", status, "because")
    assert type(error) is kind
    assert isinstance(error, FactError)
    assert (error.status, error.transient) == (status, transient)
    assert "pods in dalp" in str(error)
    assert "because" in str(error)


def test_a_denial_names_the_missing_right() -> None:
    assert "list pods in dalp" in errors.call_error("list", "pods in dalp", 403, "forbidden").next_step


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error(403, "AccessDenied"), Denied),
        (client_error(404, "NoSuchKey"), Missing),
        (urllib3.exceptions.ReadTimeoutError(urllib3.HTTPConnectionPool("h"), "/", "late"), NoAnswer),
        (ConnectionResetError("reset"), NoAnswer),
        (ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"), Untrusted),
        (TimeoutError("late"), NoAnswer),
    ],
)
def test_client_errors_are_translated(error: Exception, kind: type[CallError]) -> None:
    with pytest.raises(kind), errors.translate("read", "x"):
        raise error


@pytest.mark.parametrize("error", [RefusedError("no"), KeyError("a defect"), FileNotFoundError("git")])
def test_our_own_errors_and_defects_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, errors.translate("read", "x"):
        raise error
    assert raised.value is error


def test_retry_after_as_seconds_date_or_nonsense() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert errors.seconds_of("7") == 7
    assert 25 < (errors.seconds_of(soon) or 0) <= 30
    assert errors.seconds_of("soon") is None
    assert errors.seconds_of(None) is None


class Failing:
    """Fails so often, then answers."""

    def __init__(self, times: int, error: CallError) -> None:
        self.left, self.error, self.calls = times, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.left:
            raise self.error
        return "answer"


def policy(pauses: list[float], **settings: float) -> RetryPolicy:
    return RetryPolicy(sleep=pauses.append, clock=lambda: sum(pauses), **settings)  # type: ignore[arg-type]


BUSY = errors.call_error("get", "x", 503, "busy")


def test_transient_errors_are_repeated_with_growing_pauses() -> None:
    pauses: list[float] = []
    assert policy(pauses).call(Failing(3, BUSY)) == "answer"
    assert [0.25 <= pauses[0] <= 0.5, 0.5 <= pauses[1] <= 1, 1 <= pauses[2] <= 2] == [True] * 3


def test_attempts_are_bounded() -> None:
    pauses: list[float] = []
    failing = Failing(99, BUSY)
    with pytest.raises(CallError):
        policy(pauses).call(failing)
    assert failing.calls == 5


def test_retry_after_is_honoured_within_the_budget() -> None:
    pauses: list[float] = []
    assert policy(pauses).call(Failing(1, errors.call_error("get", "x", 429, "slow", "12"))) == "answer"
    assert pauses == [12]


def test_a_retry_after_beyond_the_budget_ends_at_once() -> None:
    pauses: list[float] = []
    with pytest.raises(CallError):
        policy(pauses).call(Failing(1, errors.call_error("get", "x", 429, "slow", "3600")))
    assert pauses == []


def test_a_denial_is_never_repeated() -> None:
    failing = Failing(1, errors.call_error("get", "x", 403, "no"))
    with pytest.raises(Denied):
        policy([]).call(failing)
    assert failing.calls == 1
