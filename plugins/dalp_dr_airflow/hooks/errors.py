"""Client errors as facts that could not be obtained: what was asked, what was answered, who can help, and no secrets.

CallError
├── Missing    404: it is not there
├── Denied     401 or 403: the identity lacks a right, named in the text
├── Conflict   409: somebody else holds what we wanted to write, or it is not the object we knew
└── NoAnswer   no answer at all: connection refused, cut, timed out
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from dalp_dr.errors import DrillError, FactError

T = TypeVar("T")
TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
LONGEST_DETAIL = 500
_CLIENT_LIBRARIES = frozenset(
    {
        "kubernetes",
        "kubernetes_asyncio",
        "urllib3",
        "botocore",
        "boto3",
        "requests",
        "httpx",
        "aiohttp",
        "web3",
        "websocket",
        "http",
        "json",
    }
)
_UNTRUSTED = re.compile(r"(?i)certificate.verify.failed|certificate has expired|self.signed certificate")
_SECRETS = (
    (re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*PRIVATE KEY-----|$)", re.S), "***"),
    (re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"), "***"),
    (re.compile(r"(?i)(with url: )\S+"), r"\1***"),
    (re.compile(r"(?i)(?<=bearer )[-\w.~+/=]+"), "***"),
    (re.compile(r"(?i)(x-amz-(?:signature|credential|security-token)=)[^&\s\"']+"), r"\1***"),
    (re.compile(r"\beyJ[-\w]{8,}\.[-\w]{8,}\.[-\w]+"), "***"),
    (
        re.compile(
            r"(?i)([-\w]*(?:password|passwd|secret|api[_-]?key|access[_-]?key|token)[\"']?\s*[:=]\s*[\"']?)"
            r"[^\s\"',;&}]{4,}"
        ),
        r"\1***",
    ),
)


class CallError(FactError):
    """A call to the outside failed. `status` is None when nobody answered; `transient` calls are worth another try."""

    def __init__(
        self,
        message: str,
        next_step: str = "",
        *,
        status: int | None = None,
        transient: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, next_step)
        self.status, self.transient, self.retry_after_seconds = status, transient, retry_after_seconds


class Missing(CallError):
    """What was asked for does not exist."""


class Denied(CallError):
    """The identity of the connection may not do this."""


class Conflict(CallError):
    """Another writer, or another object under the same name."""


class Untrusted(CallError):
    """Somebody answered whose certificate is not trusted, so nothing is known of who it is."""


class NoAnswer(CallError):
    """Nobody answered within the time allowed."""


def redact(text: str) -> str:
    """The text without private keys, passwords, tokens and signatures."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def call_error(verb: str, what: str, status: int | None, detail: str, retry_after: str | None = None) -> CallError:
    """The error for a refused or failed call; `verb` and `what` name the call, e.g. "list", "pods in dalp"."""
    detail = redact(" ".join(detail.split()))[:LONGEST_DETAIL] or "no explanation given"
    if status in (401, 403):
        kind, said = Denied, f"may not {verb} {what} ({status}): {detail}"
        step = f"Give the connection's identity the right to {verb} {what}."
        if status == 401:
            step = "Renew the credentials of the connection: they were not accepted at all."
        return kind(f"The drill's identity {said}", step, status=status)
    said = f"Could not {verb} {what}: {f'answered {status}, ' if status else ''}{detail}"
    if status == 404:
        return Missing(said, "Look whether it was removed or never made.", status=status)
    if status in (409, 412):
        return Conflict(said, "Look who else writes it.", status=status)
    if status is None and _UNTRUSTED.search(detail):
        return Untrusted(said, "Look whose certificate answers there, and whether the connection holds the right authority.")
    if status is None:
        return NoAnswer(said, "Look whether the service is up and can be reached from the worker.", transient=True)
    return CallError(
        said,
        "Look at the service that answered.",
        status=status,
        transient=status in TRANSIENT_STATUSES,
        retry_after_seconds=seconds_of(retry_after),
    )


def seconds_of(retry_after: str | None) -> float | None:
    """Seconds to wait of a Retry-After header (RFC 9110: seconds or a date); None when absent or unreadable."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


@contextmanager
def translate(verb: str, what: str) -> Iterator[None]:
    """Turn errors of client libraries and of the network into CallErrors; our own errors and defects pass unchanged."""
    try:
        yield
    except DrillError:
        raise
    except Exception as error:
        if not _from_outside(error):
            raise
        raise call_error(verb, what, _status(error), _detail(error), _retry_after(error)) from None


def _from_outside(error: Exception) -> bool:
    if isinstance(error, OSError):
        return not isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError))
    return type(error).__module__.partition(".")[0] in _CLIENT_LIBRARIES


def _status(error: Any) -> int | None:
    """The HTTP status an exception of kubernetes, botocore, requests, httpx, aiohttp or websocket carries."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        found = getattr(response, "status_code", None) or getattr(error, "status", None) or getattr(error, "status_code", None)
    return int(found) if found else None


def _detail(error: Any) -> str:
    said = getattr(error, "body", None) or getattr(error, "resp_body", None) or str(error)
    said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return f"{type(error).__name__}: {said}"


def _retry_after(error: Any) -> str | None:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after")
    else:
        headers = getattr(response, "headers", None) or getattr(error, "headers", None) or {}
        found = headers.get("Retry-After")
    return str(found) if found else None


@dataclass(frozen=True)
class RetryPolicy:
    """Bounded repetition of a call that answered 429, 5xx or not at all.

    Pauses grow twofold with full jitter; Retry-After of the server is honoured when it fits into the budget. Other
    errors, and the last attempt's, are raised as they are.
    """

    attempts: int = 5
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 15.0
    budget_seconds: float = 90.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def call(self, attempt: Callable[[], T]) -> T:
        started = self.clock()
        for number in range(1, self.attempts + 1):
            try:
                return attempt()
            except CallError as error:
                pause = self.pause_seconds(number, error)
                if not error.transient or number == self.attempts or self.clock() - started + pause > self.budget_seconds:
                    raise
            self.sleep(pause)
        raise AssertionError("a retry policy needs at least one attempt")

    def pause_seconds(self, number: int, error: CallError) -> float:
        longest = min(self.longest_pause_seconds, self.first_pause_seconds * 2 ** (number - 1))
        jittered = random.uniform(longest / 2, longest)
        return max(error.retry_after_seconds or 0.0, jittered)
