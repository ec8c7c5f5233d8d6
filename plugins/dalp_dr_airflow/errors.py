"""How a task ends when its check does not pass; the exception carries the retry decision."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowException, AirflowFailException


class CheckFailedError(AirflowFailException):
    """A check failed: backup or system are bad. Recorded, and not retried."""


class CheckInconclusiveError(AirflowException):
    """A check could not tell. Recorded, and retried: the outside may answer next time."""


class DrillRefusedError(AirflowFailException):
    """The drill may not start or go on; nothing was restored."""


class NotReadyError(AirflowFailException):
    """The decision is FIX. Raised by the only leaf, so that a drill is green for one reason alone."""


class LeftBehindError(AirflowFailException):
    """Something of a dead drill is still there, or only looks like a drill's: a person must look."""


class SandboxKeptError(AirflowFailException):
    """The sandbox is kept for on-call; a failed teardown runs again when failed tasks are cleared."""
