"""One waiting loop for every custom object; a subclass says only how to read its status."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from dalp_dr.errors import DrillError
from dalp_dr.model.status import Done, Failed, Status, Waiting
from dalp_dr_airflow.hooks.errors import CallError, Denied, Missing
from dalp_dr_airflow.hooks.kubernetes_watch import AsyncReads, async_reads

LONGEST_PAUSE_SECONDS = 120.0  # of a server that asks to be left alone; the deadline ends the wait all the same


class CustomObjectTrigger(BaseTrigger):
    """Polls until the object is done, has failed, is gone, or the deadline has passed.

    The event: `{status: done|failed|gone|error|timeout, name, namespace, message, summary}`. The deadline is a moment
    and not a duration, so that a restarted triggerer does not begin to count again; `stall_seconds` without any change
    of what the object says end the wait earlier (a restarted triggerer counts these anew). An API server that answers 429 or
    5xx, or not at all, is asked again until the deadline. Nothing is deleted when the trigger is killed: a rerun
    finds the object again.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        namespace: str,
        name: str,
        timeout_seconds: float | None = None,
        deadline: str | None = None,
        poll_seconds: float = 5.0,
        stall_seconds: float | None = None,
    ) -> None:
        super().__init__()
        if deadline is None and timeout_seconds is None:
            raise ValueError("a wait needs a deadline: give timeout_seconds or deadline")
        self.conn_id, self.namespace, self.name, self.poll_seconds = conn_id, namespace, name, poll_seconds
        self.stall_seconds = stall_seconds
        self.deadline = deadline or (datetime.now(UTC) + timedelta(seconds=timeout_seconds or 0)).isoformat()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "conn_id": self.conn_id,
            "namespace": self.namespace,
            "name": self.name,
            "deadline": self.deadline,
            "poll_seconds": self.poll_seconds,
            "stall_seconds": self.stall_seconds,
        }

    @abstractmethod
    async def look(self, reads: AsyncReads) -> Status:
        """Read the object and what belongs to it. Missing when it is gone."""

    def extras(self) -> dict[str, Any]:
        """What the event carries beside the status; small and JSON."""
        return {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            ended = await self._connected()
        except Missing as error:
            ended = ("gone", error.diagnostics(), {})
        except DrillError as error:
            ended = ("error", error.diagnostics(), {})
        status, message, summary = ended
        yield TriggerEvent(
            {
                "status": status,
                "name": self.name,
                "namespace": self.namespace,
                "message": message,
                "summary": summary,
                **self.extras(),
            }
        )

    async def _connected(self) -> tuple[str, str, dict[str, Any]]:
        """Waits; credentials that are not accepted any more are read again from the connection, once."""
        try:
            async with async_reads(self.conn_id) as reads:
                return await self._wait(reads)
        except Denied as error:
            if error.status != 401:
                raise
            self.log.warning("The credentials of %s are read again: %s", self.conn_id, error)
        async with async_reads(self.conn_id) as reads:
            return await self._wait(reads)

    async def _wait(self, reads: AsyncReads) -> tuple[str, str, dict[str, Any]]:
        """`(status, message, summary)` of the end of the wait."""
        said, changed, pause = "", time.monotonic(), self.poll_seconds
        while True:
            await asyncio.sleep(pause)  # first: an event within a second of deferring can fail the task
            pause = self.poll_seconds
            try:
                status = await self.look(reads)
            except CallError as error:
                if not error.transient:
                    raise
                status = Waiting(str(error))
                pause = max(pause, min(error.retry_after_seconds or 0.0, LONGEST_PAUSE_SECONDS))
            if isinstance(status, Done):
                return "done", "", status.summary
            if isinstance(status, Failed):
                return "failed", status.cause, {}
            if status.what != said:
                said, changed = status.what, time.monotonic()
                self.log.info("%s", said)
            if datetime.now(UTC) >= datetime.fromisoformat(self.deadline):
                return "timeout", f"Not finished at {self.deadline}. Last seen: {said}", {}
            if self.stall_seconds is not None and time.monotonic() - changed >= self.stall_seconds:
                return "timeout", f"Nothing moved for {self.stall_seconds:.0f} s. Last seen: {said}", {}
